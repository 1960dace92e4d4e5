//! The tiny machine of [`Check::MachineBoots`](stratus_plan::promise::Check): made of what the
//! front-end has, and looked at from outside.

use super::{Verdict, quote, script, told};
use crate::host::Host;
use std::net::IpAddr;

/// What a tiny machine boots from: files on the front-end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiny {
    /// The folder of the files.
    pub folder: String,
    /// Whether it can ask for its address by DHCP; otherwise it takes the one of its context.
    pub asks_dhcp: bool,
}

impl Tiny {
    /// Makes one on this host in a new folder, of the host's own kernel, drivers and programs. The
    /// caller clears the folder, whatever came of it.
    pub async fn make(host: &dyn Host, folder: &str) -> Result<Self, Verdict> {
        let text = format!("{}tiny_build {}", include_str!("tiny.sh"), quote(folder));
        let init = include_bytes!("init.sh").to_vec();
        let said = told(host, "making a tiny machine", text, init).await?;
        Ok(Self { folder: folder.to_owned(), asks_dhcp: said.trim() == "dhcp" })
    }

    /// The kernel.
    pub fn kernel(&self) -> String {
        format!("{}/kernel", self.folder)
    }

    /// The file system in memory.
    pub fn initrd(&self) -> String {
        format!("{}/initrd", self.folder)
    }

    /// Takes a folder or file of a tiny machine away, and what killed runs left there.
    pub async fn clear(host: &dyn Host, path: &str) -> Result<(), Verdict> {
        look(host, "tiny_clear", &[path]).await.map(drop)
    }

    /// Whether a machine answers this host at its address, and no other machine does.
    pub async fn answers(host: &dyn Host, address: IpAddr, mac: &str) -> Result<(), Verdict> {
        look(host, "machine_answers", &[&address.to_string(), mac]).await.map(drop)
    }

    /// Whether the DHCP service of this host gave the address to the machine.
    pub async fn was_leased(host: &dyn Host, address: IpAddr, mac: &str) -> Result<(), Verdict> {
        look(host, "lease_given", &[&address.to_string(), mac]).await.map(drop)
    }

    /// The last lines of a console that is kept in this file; none if there is no such file.
    pub async fn console(host: &dyn Host, file: &str) -> Result<String, Verdict> {
        look(host, "console_said", &[file]).await
    }
}

async fn look(host: &dyn Host, function: &str, words: &[&str]) -> Result<String, Verdict> {
    let text = format!("{}{}", include_str!("machine.sh"), script(function, words));
    told(host, "looking at a tiny machine", text, Vec::new()).await
}
