//! Making objects, except networks, users and machines.

use std::collections::BTreeMap;

use stratus_opennebula::xmlrpc::Value;
use stratus_opennebula::{Attribute, Attributes};

use super::methods::{Answer, Failure, Work};
use super::state::{Kind, Object};

impl Work<'_> {
    /// A template as a parameter.
    pub(super) fn template(&mut self) -> Result<Attributes, Failure> {
        let text = self.parameters.text()?;
        Attributes::read(&text).or_else(|error| {
            let text = if text.starts_with('<') {
                "Parse error: XML Template malformed.".to_owned()
            } else {
                format!("Parse error: syntax error, {error}")
            };
            Self::refused(0x2000, text)
        })
    }

    /// A new object of the caller, with these attributes but the name.
    pub(super) fn new_object(&self, name: &str, mut attributes: Attributes) -> Object {
        attributes.remove("NAME");
        Object {
            uid: self.user.id,
            gid: self.user.groups.first().copied().unwrap_or(1),
            name: name.to_owned(),
            attributes,
            rights: [1, 1, 0, 0, 0, 0, 0, 0, 0],
            made: self.now / 1000,
            ..Object::default()
        }
    }

    pub(super) fn added(&mut self, kind: Kind, object: Object) -> Value {
        Value::from(self.state.add(kind, object))
    }

    /// The cluster of a parameter: the default one if it is left out or -1.
    pub(super) fn cluster(&mut self) -> Result<i32, Failure> {
        let cluster = self.parameters.id_or(-1)?.max(-1);
        let cluster = if cluster == -1 { 0 } else { cluster };
        match self.state.get(Kind::Cluster, cluster) {
            Some(_) => Ok(cluster),
            None => Self::missing(Kind::Cluster, cluster),
        }
    }

    pub(super) fn allocate_cluster(&mut self) -> Answer {
        let name = self.parameters.text()?;
        self.authorize("CREATE CLUSTER")?;
        self.free_name(Kind::Cluster, &name, "")?;
        let object = self.new_object(&name, Attributes::new());
        Ok(self.added(Kind::Cluster, object))
    }

    pub(super) fn allocate_host(&mut self) -> Answer {
        let name = self.parameters.text()?;
        let (im, vm) = (self.parameters.text()?, self.parameters.text()?);
        let cluster = self.cluster()?;
        self.authorize(&format!(
            "CREATE HOST; Not authorized to perform ADMIN CLUSTER [{cluster}]"
        ))?;
        let before = "Error allocating a new host. ";
        if name.is_empty() || name.len() > 64 {
            let text = "Invalid HOSTNAME, HOSTNAME length should be greater than 1, but smaller \
                        than 64 characters";
            return Self::refused(0x4000, format!("{before}{text}"));
        }
        self.free_name(Kind::Host, &name, before)?;
        let attributes = Attributes::new().with("IM_MAD", im).with("VM_MAD", vm);
        let mut object = self.new_object(&name, attributes);
        object.cluster = cluster;
        object.due = self.after(self.delays.host);
        Ok(self.added(Kind::Host, object))
    }

    pub(super) fn allocate_datastore(&mut self) -> Answer {
        let mut attributes = self.template()?;
        let cluster = self.cluster()?;
        self.authorize("CREATE DATASTORE")?;
        let name = Self::name(&attributes, "Datastore")?;
        let kind = attributes.text("TYPE").unwrap_or("IMAGE_DS").to_owned();
        attributes.set("TYPE", Attribute::Text(kind.clone()));
        if attributes.text("TM_MAD").is_none() {
            return Self::refused(0x2000, "No TM_MAD in template.");
        }
        if kind != "SYSTEM_DS" && attributes.text("DS_MAD").is_none() {
            return Self::refused(0x2000, "No DS_MAD in template.");
        }
        let tm = attributes.text("TM_MAD").unwrap_or_default();
        if !["ssh", "shared", "local", "qcow2", "dummy", "ceph", "fs_lvm"].contains(&tm) {
            let text = format!("TM_MAD named \"{tm}\" is not defined in oned.conf");
            return Self::refused(0x2000, text);
        }
        self.free_name(Kind::Datastore, &name, "")?;
        let mut object = self.new_object(&name, attributes);
        object.cluster = cluster;
        Ok(self.added(Kind::Datastore, object))
    }

    pub(super) fn allocate_group(&mut self) -> Answer {
        let name = self.parameters.text()?;
        self.authorize("CREATE GROUP")?;
        self.free_name(Kind::Group, &name, "")?;
        let object = self.new_object(&name, Attributes::new());
        Ok(self.added(Kind::Group, object))
    }

    pub(super) fn allocate_market(&mut self) -> Answer {
        let attributes = self.template()?;
        self.authorize("CREATE MARKETPLACE")?;
        let before = "Error allocating a new marketplace. ";
        let name = Self::name(&attributes, "Marketplace")?;
        match attributes.text("MARKET_MAD") {
            None => {
                let text = "No marketplace driver (MARKET_MAD) in template.";
                return Self::refused(0x4000, format!("{before}{text}"));
            }
            Some("one" | "s3" | "linuxcontainers") => {}
            Some("http") => {
                if attributes.text("BASE_URL").is_none() {
                    let text = "MarketPlace template is missing the \"BASE_URL\" attribute or it's \
                                empty.";
                    return Self::refused(0x4000, format!("{before}{text}"));
                }
            }
            Some(other) => {
                let text = format!("MARKET_MAD_CONF named \"{other}\" is not defined in oned.conf");
                return Self::refused(0x4000, format!("{before}{text}"));
            }
        }
        self.free_name(Kind::Marketplace, &name, before)?;
        let object = self.new_object(&name, attributes);
        Ok(self.added(Kind::Marketplace, object))
    }

    pub(super) fn allocate_template(&mut self) -> Answer {
        let attributes = self.template()?;
        let Some(name) = attributes.text("NAME").map(str::to_owned) else {
            return Self::refused(0x2000, "Invalid NAME, it cannot be empty");
        };
        self.free_name(Kind::Template, &name, "")?;
        let object = self.new_object(&name, attributes);
        Ok(self.added(Kind::Template, object))
    }

    pub(super) fn allocate_image(&mut self) -> Answer {
        let mut attributes = self.template()?;
        let datastore = self.parameters.id()?;
        if self.state.get(Kind::Datastore, datastore).is_none() {
            return Self::missing(Kind::Datastore, datastore);
        }
        let name = Self::name(&attributes, "Image")?;
        let kind = attributes.text("TYPE").unwrap_or("OS").to_owned();
        let types = ["OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT"];
        let number = types.iter().position(|word| *word == kind).unwrap_or(0);
        let mut fields = BTreeMap::new();
        fields.insert("TYPE".to_owned(), number.to_string());
        fields.insert("DATASTORE_ID".to_owned(), datastore.to_string());
        let size = attributes.text("SIZE").unwrap_or(if attributes.text("PATH").is_some() {
            "16"
        } else {
            ""
        });
        if size.parse::<u64>().is_err() {
            let text = "Cannot parse image SIZE: Wrong number or missing SIZE attribute.";
            return Self::refused(0x2000, text);
        }
        fields.insert("SIZE".to_owned(), size.to_owned());
        fields.insert("PATH".to_owned(), attributes.text("PATH").unwrap_or_default().to_owned());
        let persistent = attributes.text("PERSISTENT") == Some("YES");
        fields.insert("PERSISTENT".to_owned(), u8::from(persistent).to_string());
        self.free_name(Kind::Image, &name, "Error allocating a new image. ")?;
        for used in ["TYPE", "SIZE", "PATH", "PERSISTENT", "FORMAT"] {
            attributes.remove(used);
        }
        if attributes.text("DEV_PREFIX").is_none() {
            attributes.push("DEV_PREFIX", Attribute::Text("sd".to_owned()));
        }
        let mut object = self.new_object(&name, attributes);
        object.fields = fields;
        object.state = 4;
        object.due = self.after(self.delays.image);
        Ok(self.added(Kind::Image, object))
    }

    /// The name in a template.
    pub(super) fn name(attributes: &Attributes, what: &str) -> Result<String, Failure> {
        match attributes.text("NAME").filter(|name| !name.is_empty()) {
            Some(name) => Ok(name.to_owned()),
            None => Self::refused(0x2000, format!("No NAME in template for {what}.")),
        }
    }
}
