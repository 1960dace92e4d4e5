//! Users.

use stratus_opennebula::Attributes;
use stratus_opennebula::xmlrpc::Value;

use super::methods::{Answer, Failure, Work};
use super::state::{Kind, digest};

impl Work<'_> {
    pub(super) fn allocate_user(&mut self) -> Answer {
        let (name, password) = (self.parameters.text()?, self.parameters.text()?);
        let driver = self.parameters.text()?;
        let mut groups = self.parameters.ids();
        self.authorize("CREATE USER")?;
        if name.contains(':') {
            return Self::refused(0x2000, "Invalid NAME, char ':' is not allowed.");
        }
        if password.is_empty() {
            return Self::refused(0x2000, "Invalid password, it cannot be empty.");
        }
        self.free_name(Kind::User, &name, "")?;
        if groups.is_empty() {
            groups.push(1);
        }
        for group in &groups {
            if self.state.get(Kind::Group, *group).is_none() {
                return Self::missing(Kind::Group, *group);
            }
        }
        let mut user = self.new_object(&name, Attributes::new());
        user.groups = groups;
        user.state = 1;
        let (driver, kept) = kept(&driver, &password);
        user.fields.insert("PASSWORD".to_owned(), kept);
        user.fields.insert("AUTH_DRIVER".to_owned(), driver);
        Ok(self.added(Kind::User, user))
    }

    pub(super) fn set_password(&mut self) -> Answer {
        let (id, password) = (self.parameters.id()?, self.parameters.text()?);
        let user = self.object(Kind::User, id, "MANAGE")?;
        let driver = user.fields.get("AUTH_DRIVER").cloned().unwrap_or_default();
        user.fields.insert("PASSWORD".to_owned(), kept(&driver, &password).1);
        Ok(Value::from(id))
    }

    pub(super) fn set_driver(&mut self) -> Answer {
        let id = self.parameters.id()?;
        let (driver, password) = (self.parameters.text()?, self.parameters.text()?);
        self.authorize(&format!("ADMIN USER [{id}]"))?;
        let user = self.object(Kind::User, id, "ADMIN")?;
        let (driver, kept) = kept(&driver, &password);
        user.fields.insert("AUTH_DRIVER".to_owned(), driver);
        if !password.is_empty() {
            user.fields.insert("PASSWORD".to_owned(), kept);
        }
        Ok(Value::from(id))
    }

    pub(super) fn group(&mut self, join: bool) -> Answer {
        let (id, group) = (self.parameters.id()?, self.parameters.id()?);
        self.authorize(&format!("MANAGE USER [{id}]"))?;
        if self.state.get(Kind::Group, group).is_none() {
            return Self::missing(Kind::Group, group);
        }
        let user = self.object(Kind::User, id, "MANAGE")?;
        if !join {
            user.groups.retain(|own| *own != group);
        } else if !user.groups.contains(&group) {
            user.groups.push(group);
        }
        Ok(Value::from(id))
    }

    pub(super) fn enable(&mut self, kind: Kind) -> Result<Value, Failure> {
        let (id, on) = (self.parameters.id()?, self.parameters.flag()?);
        let object = self.object(kind, id, "ADMIN")?;
        // Users say 1 for enabled, marketplaces 0.
        object.state = i32::from(on == (kind == Kind::User));
        Ok(Value::from(id))
    }
}

fn kept(driver: &str, password: &str) -> (String, String) {
    match driver {
        "" | "core" => ("core".to_owned(), digest(password)),
        other => (other.to_owned(), password.to_owned()),
    }
}
