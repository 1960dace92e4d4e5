//! What only the real compiler can prove. Without one, each test says that it is left out.

use crate::compiler::{Compiler, missing, tree};
use crate::{Both, EXAMPLES, whole_site};

#[test]
fn the_compiler_takes_every_profile_and_sees_the_same() {
    let Some(compiler) = Compiler::find("profiles as the pan compiler itself compiles them") else {
        return;
    };
    for both in EXAMPLES.map(Both::of).into_iter().chain([whole_site()]) {
        let output = both.folder.path().join("compiled");
        assert_eq!(compiler.compile(both.folder.path(), &both.hosts(), &output), Ok(()));
        for host in both.hosts() {
            let compiled = tree(&output, host);
            let mut found = Vec::new();
            missing(&both.tree(host), &compiled, "", &mut found);
            found.extend(both.differences(host, &compiled));
            assert!(found.is_empty(), "{host}:\n{}", found.join("\n"));
        }
    }
}
