//! Whatever arrives is verified or refused; what was verified is a document without its signature.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(signed) = stratus_dsig::verify(text) {
        assert!(!signed.certificates.is_empty());
        assert_eq!(stratus_dsig::verify(&signed.canonical), Err(stratus_dsig::SignatureError::Absent));
    }
});
