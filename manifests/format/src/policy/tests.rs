use super::*;
use stratus_model::Digest;

fn manifest() -> Manifest {
    let mut manifest = Manifest::empty();
    manifest.identifier = "MMZu9WvwKIro-rtBQfDk4PsKO7_".parse().ok();
    manifest.checksums.push(Digest::sha256([7; 32]));
    manifest
}

fn decide(policy: &Policy, endorser: &str, groups: &[&str]) -> Decision {
    let path =
        AppliancePath::parse("base/debian-12-x86_64-base/1.0/debian-12-x86_64-base-1.0").unwrap();
    let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
    let manifest = manifest();
    let endorser = Subject::new(endorser);
    policy.decide(&Case {
        path: Some(&path),
        endorser: &endorser,
        groups: &groups,
        manifest: &manifest,
    })
}

fn file(text: &[(&str, Option<&str>, Option<&str>)]) -> Policy {
    let endorsers = text
        .iter()
        .map(|(path, subject, group)| file::RuleAsWritten {
            path: (*path).to_owned(),
            subject: subject.map(str::to_owned),
            group: group.map(str::to_owned),
        })
        .collect();
    PolicyFile { endorsers, ..PolicyFile::default() }.check().unwrap()
}

#[test]
fn without_rules_nothing_is_checked() {
    assert_eq!(decide(&Policy::default(), "/CN=x", &[]).state, PolicyState::Unchecked);
}

#[test]
fn one_rule_must_name_both_the_path_and_the_person() {
    let policy = file(&[
        ("base/**", Some("/O=Example/CN=*"), None),
        ("grid/**", Some("/O=Grid/*"), None),
        ("base/debian-*/**", None, Some("image-makers")),
    ]);
    assert_eq!(decide(&policy, "/O=Example/CN=signer", &[]).state, PolicyState::Allowed);
    let refused = decide(&policy, "/O=Grid/CN=signer", &["users"]);
    assert_eq!(refused.state, PolicyState::Refused);
    assert_eq!(
        refused.reasons,
        [
            "no rule allows `/O=Grid/CN=signer` to endorse `base/debian-12-x86_64-base/1.0/debian-12-x86_64-base-1.0`"
        ]
    );
    assert_eq!(decide(&policy, "/O=Grid/CN=s", &["image-makers"]).state, PolicyState::Allowed);
}

#[test]
fn all_filters_that_are_on_must_pass() {
    let mut policy = Policy::default();
    policy.subjects.white.push(SubjectPattern::new("/O=Example/*"));
    policy.images.white.push("MMZu9WvwKIro-rtBQfDk4PsKO7_".parse().unwrap());
    assert_eq!(decide(&policy, "/O=Example/CN=a", &[]).state, PolicyState::Allowed);
    policy.checksums.white.push(Digest::sha256([8; 32]));
    let refused = decide(&policy, "/O=Example/CN=a", &[]);
    assert_eq!(refused.reasons, ["none of the manifest's checksums is on the white list"]);
    assert_eq!(decide(&policy, "/O=Other/CN=a", &[]).reasons.len(), 2);
}

#[test]
fn black_beats_white() {
    let mut policy = Policy::default();
    policy.subjects.white.push(SubjectPattern::new("/O=Example/*"));
    policy.subjects.black.push(SubjectPattern::new("/O=Example/CN=left"));
    assert_eq!(decide(&policy, "/O=Example/CN=left", &[]).state, PolicyState::Refused);
}

#[test]
fn leaving_a_field_out_is_no_way_around_a_black_list() {
    let mut policy = Policy::default();
    let sha1 = "MMZu9WvwKIro-rtBQfDk4PsKO7_".parse::<Identifier>().unwrap().sha1();
    policy.checksums.black.push(sha1);
    // The identifier spells the SHA-1, so the list sees it.
    assert_eq!(decide(&policy, "/CN=a", &[]).state, PolicyState::Refused);
    let endorser = Subject::new("/CN=a");
    let mut bare = manifest();
    bare.identifier = None;
    let case = Case { path: None, endorser: &endorser, groups: &[], manifest: &bare };
    assert_eq!(
        policy.decide(&case).reasons,
        ["the manifest gives no SHA-1, so it cannot be compared with the black list of checksums"]
    );
}

#[test]
fn a_rule_that_cannot_be_used_is_named() {
    let rule = |path: &str, subject: Option<&str>, group: Option<&str>| file::RuleAsWritten {
        path: path.into(),
        subject: subject.map(Into::into),
        group: group.map(Into::into),
    };
    for (rule, text) in [
        (
            rule("base/**", None, None),
            "endorsers: the rule for `base/**` needs either `subject` or `group`",
        ),
        (
            rule("base/**", Some("a"), Some("b")),
            "endorsers: the rule for `base/**` needs either `subject` or `group`",
        ),
        (rule("/base", Some("a"), None), "endorsers: the rule's path is not usable"),
    ] {
        let file = PolicyFile { endorsers: vec![rule], ..PolicyFile::default() };
        assert_eq!(file.check().unwrap_err().to_string(), text);
    }
}
