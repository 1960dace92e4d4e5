//! Users, groups, and rules of access.

use secrecy::{ExposeSecret, SecretString};

use crate::attributes::Attributes;
use crate::client::{Client, Update, template};
use crate::error::Error;
use crate::ids::{AclId, GroupId, UserId};
use crate::objects::{Acl, Group, User};
use crate::xmlrpc::Value;

impl Client {
    /// All users, newest first. A plain user sees itself only.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        self.call_for_pool("one.userpool.info", vec![]).await
    }

    /// One user; `None` is the caller.
    pub async fn user(&self, id: Option<UserId>) -> Result<User, Error> {
        let id = id.unwrap_or(UserId(-1));
        self.call_for_object("one.user.info", vec![id.into(), false.into()]).await
    }

    /// Makes a user. `secret` is the password with the driver `core`, and what the driver compares
    /// with otherwise: the distinguished name with `ldap`. Without groups the user is in `users`.
    pub async fn allocate_user(
        &self,
        name: &str,
        secret: &SecretString,
        driver: &str,
        groups: &[GroupId],
    ) -> Result<UserId, Error> {
        let groups = Value::Array(groups.iter().map(|group| Value::from(*group)).collect());
        let parameters = vec![name.into(), secret.expose_secret().into(), driver.into(), groups];
        self.call_for_id("one.user.allocate", parameters).await
    }

    /// Changes a user's template.
    pub async fn update_user(
        &self,
        id: UserId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.user.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Sets how a user's password is checked.
    pub async fn set_authentication(
        &self,
        id: UserId,
        driver: &str,
        secret: &SecretString,
    ) -> Result<(), Error> {
        let parameters = vec![id.into(), driver.into(), secret.expose_secret().into()];
        self.call_for_nothing("one.user.chauth", parameters).await
    }

    /// Sets a password.
    pub async fn set_password(&self, id: UserId, password: &SecretString) -> Result<(), Error> {
        let parameters = vec![id.into(), password.expose_secret().into()];
        self.call_for_nothing("one.user.passwd", parameters).await
    }

    /// Makes a login token for a group of the user, for a number of seconds.
    pub async fn login_token(
        &self,
        user: &str,
        seconds: i32,
        group: GroupId,
    ) -> Result<SecretString, Error> {
        let parameters = vec![user.into(), "".into(), seconds.into(), group.into()];
        self.call_for_text("one.user.login", parameters).await.map(SecretString::from)
    }

    /// Lets a user log in, or not.
    pub async fn enable_user(&self, id: UserId, enabled: bool) -> Result<(), Error> {
        self.call_for_nothing("one.user.enable", vec![id.into(), enabled.into()]).await
    }

    /// Adds a user to a group.
    pub async fn add_user_to_group(&self, id: UserId, group: GroupId) -> Result<(), Error> {
        self.call_for_nothing("one.user.addgroup", vec![id.into(), group.into()]).await
    }

    /// Takes a user out of a group.
    pub async fn remove_user_from_group(&self, id: UserId, group: GroupId) -> Result<(), Error> {
        self.call_for_nothing("one.user.delgroup", vec![id.into(), group.into()]).await
    }

    /// Sets a user's primary group.
    pub async fn set_primary_group(&self, id: UserId, group: GroupId) -> Result<(), Error> {
        self.call_for_nothing("one.user.chgrp", vec![id.into(), group.into()]).await
    }

    /// Sets a user's quotas: `VM`, `NETWORK`, `DATASTORE` and `IMAGE` vectors.
    pub async fn set_user_quota(&self, id: UserId, quota: &Attributes) -> Result<(), Error> {
        let method = "one.user.quota";
        let text = template(method, quota)?;
        self.call_for_nothing(method, vec![id.into(), text]).await
    }

    /// Deletes a user.
    pub async fn delete_user(&self, id: UserId) -> Result<(), Error> {
        self.call_for_nothing("one.user.delete", vec![id.into()]).await
    }

    /// All groups, newest first.
    pub async fn groups(&self) -> Result<Vec<Group>, Error> {
        self.call_for_pool("one.grouppool.info", vec![]).await
    }

    /// Makes a group.
    pub async fn allocate_group(&self, name: &str) -> Result<GroupId, Error> {
        self.call_for_id("one.group.allocate", vec![name.into()]).await
    }

    /// Changes a group's template.
    pub async fn update_group(
        &self,
        id: GroupId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.group.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Deletes a group without members.
    pub async fn delete_group(&self, id: GroupId) -> Result<(), Error> {
        self.call_for_nothing("one.group.delete", vec![id.into()]).await
    }

    /// All rules of access.
    pub async fn acls(&self) -> Result<Vec<Acl>, Error> {
        self.call_for_pool("one.acl.info", vec![]).await
    }

    /// Adds a rule; the three are oned's hexadecimal numbers, as in [`Acl`].
    pub async fn add_acl(&self, user: &str, resource: &str, rights: &str) -> Result<AclId, Error> {
        let parameters = vec![user.into(), resource.into(), rights.into()];
        self.call_for_id("one.acl.addrule", parameters).await
    }

    /// Deletes a rule.
    pub async fn delete_acl(&self, id: AclId) -> Result<(), Error> {
        self.call_for_nothing("one.acl.delrule", vec![id.into()]).await
    }
}
