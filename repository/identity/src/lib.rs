//! Who is asking: directory, password file, tokens, client certificates.
//!
//! [`Identities`] is the one door. Behind it stands an LDAP directory, or a password file as the
//! embedded default; beside it [`Tokens`] for robots. A wrong proof is [`Refusal::Wrong`] whether the
//! login exists or not, after a time that does not tell either, and is counted against address and
//! login; a directory that does not answer is [`Refusal::Away`] and counts against nobody.
//!
//! Not here: sessions, which are the pages' own, and the decision what a person may do with a thing.

mod comparer;
mod directory;
mod identities;
mod limiter;
mod password_file;
mod person;
mod settings;
mod tokens;

pub use directory::{DirectoryError, file_faults, value_faults};
pub use identities::{Identities, SetupError};
pub use password_file::{PasswordFileError, hash_password, set_password};
pub use person::{NotBound, Person, Refusal, Scopes, Via, may_endorse_as};
pub use settings::{LdapSettings, PersonSettings, Settings};
pub use tokens::{NewToken, Token, TokenError, Tokens, is_token};
