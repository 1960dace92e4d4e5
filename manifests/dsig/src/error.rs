//! Why a document was not verified or not signed.

/// Why a signature was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The document has no `ds:Signature` at all.
    #[error("the document is not signed")]
    Absent,
    /// The document cannot be read as XML within the limits.
    #[error("{line}:{column}: {message}")]
    NotXml {
        /// What is wrong.
        message: String,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// The signature is not in the profile that manifests use.
    #[error("{line}:{column}: {reason}")]
    Profile {
        /// Which rule it breaks.
        reason: String,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// The mathematics do not agree: the document is not what was signed, or another key signed it.
    #[error("the {what} does not match: the document is not what was signed")]
    Mismatch {
        /// `digest` or `signature`.
        what: &'static str,
    },
}

/// Why a key cannot sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is neither RSA of 2048 to 8192 bits nor ECDSA on P-256 or P-384.
    #[error(
        "the key cannot sign manifests; use RSA with 2048 to 8192 bits, or ECDSA with P-256 or P-384"
    )]
    Unsupported,
}

/// Why a document was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The document cannot be signed as it is.
    #[error("the document cannot be signed")]
    Document(#[source] SignatureError),
    /// There is a signature already.
    #[error("the document has a signature already")]
    AlreadySigned,
    /// The root element is written `<root/>`, without a place for the signature.
    #[error("the document has an empty root element")]
    Empty,
    /// No certificate was given.
    #[error("a signature needs the signer's certificate")]
    NoCertificate,
    /// The first certificate is not that of the key.
    #[error("the certificate does not belong to the key")]
    KeyMismatch,
    /// The cryptographic library refused.
    #[error("the key could not sign")]
    Key,
}
