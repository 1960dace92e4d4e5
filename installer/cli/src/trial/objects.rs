//! What a trial makes in OpenNebula: names that are recognized, two files as images, one machine.

use super::{Trial, failed};
use std::time::Duration;
use stratus_execute::verify::{Tiny, Verdict};
use stratus_opennebula::{
    Attributes, Client, DatastoreId, DatastoreType, Error, ImageId, MachineAction, MachineFilter,
    Page,
};
use stratus_site::{HostName, NetworkName};
use stratus_terminal::warn;

/// What names of trials begin with; seconds since 1970 and the process follow.
const PREFIX: &str = "stratus-test-";
/// After this many seconds what is still there was left by a run that was killed.
const LEFT: i64 = 1800;

/// The names of one run.
pub(super) struct Names {
    name: String,
    folder: String,
    now: i64,
}

/// The two files that a tiny machine boots from, as OpenNebula has them.
pub(super) struct Images {
    kernel: ImageId,
    initrd: ImageId,
}

impl Images {
    pub(super) fn all(&self) -> [ImageId; 2] {
        [self.kernel, self.initrd]
    }
}

impl Names {
    pub(super) fn new() -> Self {
        let now = jiff::Timestamp::now().as_second();
        let name = format!("{PREFIX}{now}-{}", std::process::id());
        // OpenNebula's daemon takes files from here without further settings.
        let folder = format!("/var/tmp/{name}");
        Self { name, folder, now }
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// Where libvirt keeps logs itself: nothing else forbids it to write there.
    pub(super) fn console(&self, host: &HostName) -> String {
        format!("/var/log/libvirt/qemu/{}-{}.console", self.name, host.short())
    }

    /// Gives the files to OpenNebula, after what killed runs left is gone. They are not copied yet.
    pub(super) async fn register(&self, client: &Client, tiny: &Tiny) -> Trial<Images> {
        self.sweep(client)
            .await
            .map_err(failed("OpenNebula does not name its machines and images"))?;
        let stores = client.datastores().await;
        let stores = stores.map_err(failed("OpenNebula does not name its datastores"))?;
        let Some(files) = stores.iter().find(|store| store.kind == DatastoreType::File) else {
            return Err(Verdict::NotMet("OpenNebula has no datastore for files".to_owned()));
        };
        let kernel = self.image(client, "kernel", "KERNEL", tiny.kernel(), files.id).await?;
        let initrd = self.image(client, "initrd", "RAMDISK", tiny.initrd(), files.id).await?;
        Ok(Images { kernel, initrd })
    }

    async fn image(
        &self,
        client: &Client,
        what: &str,
        kind: &str,
        path: String,
        store: DatastoreId,
    ) -> Trial<ImageId> {
        let attributes = Attributes::new()
            .with("NAME", format!("{}-{what}", self.name))
            .with("TYPE", kind)
            .with("PATH", path);
        let made = client.allocate_image(&attributes, store).await;
        made.map_err(failed(format!("OpenNebula does not take the tiny machine's {what}")))
    }

    fn is_left(&self, name: &str) -> bool {
        let made = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        made.and_then(|seconds| seconds.parse::<i64>().ok()).is_some_and(|at| self.now - at > LEFT)
    }

    /// Ends machines and deletes images of runs that were killed.
    async fn sweep(&self, client: &Client) -> Result<(), Error> {
        for machine in client.machines(Page::default(), MachineFilter::NotDone).await? {
            if self.is_left(&machine.name) {
                // What does not go now is tried again by the next run.
                let _ = client.act(machine.id, MachineAction::TerminateHard).await;
            }
        }
        for image in client.images(Page::default()).await? {
            if self.is_left(&image.name) {
                let _ = client.delete_image(image.id).await;
            }
        }
        Ok(())
    }

    /// Deletes this run's images, and says which are left.
    pub(super) async fn remove_images(&self, client: &Client, patience: Duration) {
        let images = match client.images(Page::default()).await {
            Ok(images) => images,
            Err(error) => {
                warn(&format!("images `{}-…` may be left: {error}", self.name));
                return;
            }
        };
        for image in images.iter().filter(|image| image.name.starts_with(&self.name)) {
            let mut gone = client.delete_image(image.id).await;
            if gone.is_ok() {
                gone = client.wait_gone(&image.name, patience, || client.image(image.id)).await;
            }
            if let Err(error) = gone {
                warn(&format!("the image `{}` is left in OpenNebula: {error}", image.name));
            }
        }
    }
}

/// The machine: no disk, an interface in the network, its address on the context's CD, and a console
/// that is kept in a file of its host.
pub(super) fn template(
    names: &Names,
    host: &HostName,
    network: &NetworkName,
    images: &Images,
    asks_dhcp: bool,
) -> Attributes {
    let file = |image: ImageId| format!("$FILE[IMAGE_ID={image}]");
    let words = if asks_dhcp { " stratus.dhcp" } else { "" };
    let console = format!(
        "<devices><serial type='file'><source path='{}'/></serial></devices>",
        names.console(host)
    );
    let boot = [
        ("KERNEL_DS", file(images.kernel)),
        ("INITRD_DS", file(images.initrd)),
        ("KERNEL_CMD", format!("console=ttyS0 loglevel=4{words}")),
    ];
    let boot = boot.each_ref().map(|(name, value)| (*name, value.as_str()));
    Attributes::new()
        .with("NAME", format!("{}-{}", names.name, host.short()))
        .with("CPU", "0.1")
        .with("MEMORY", "128")
        .with_vector("OS", &boot)
        // Every kernel that can be a guest has this controller's driver; not so those of the others.
        .with_vector("FEATURES", &[("VIRTIO_SCSI_QUEUES", "1")])
        .with_vector("CONTEXT", &[("NETWORK", "YES"), ("TARGET", "sda")])
        .with_vector("NIC", &[("NETWORK", network.as_str()), ("MODEL", "virtio")])
        .with_vector("RAW", &[("TYPE", "kvm"), ("DATA", &console)])
}
