//! Datastores, images, and templates of machines.

use crate::attributes::Attributes;
use crate::client::{Client, Page, Update, template};
use crate::error::Error;
use crate::ids::{ClusterId, DatastoreId, ImageId, MachineId, TemplateId};
use crate::objects::{Datastore, Image, Template};
use crate::xmlrpc::Value;

impl Client {
    /// All datastores, newest first.
    pub async fn datastores(&self) -> Result<Vec<Datastore>, Error> {
        self.call_for_pool("one.datastorepool.info", vec![]).await
    }

    /// One datastore.
    pub async fn datastore(&self, id: DatastoreId) -> Result<Datastore, Error> {
        self.call_for_object("one.datastore.info", vec![id.into(), false.into()]).await
    }

    /// Makes a datastore.
    pub async fn allocate_datastore(
        &self,
        attributes: &Attributes,
        cluster: Option<ClusterId>,
    ) -> Result<DatastoreId, Error> {
        let method = "one.datastore.allocate";
        let text = template(method, attributes)?;
        let cluster = cluster.unwrap_or(ClusterId(-1));
        self.call_for_id(method, vec![text, cluster.into()]).await
    }

    /// Changes a datastore's template.
    pub async fn update_datastore(
        &self,
        id: DatastoreId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.datastore.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Deletes an empty datastore.
    pub async fn delete_datastore(&self, id: DatastoreId) -> Result<(), Error> {
        self.call_for_nothing("one.datastore.delete", vec![id.into()]).await
    }

    /// Images, newest first.
    pub async fn images(&self, page: Page) -> Result<Vec<Image>, Error> {
        self.page("one.imagepool.info", page).await
    }

    /// One image.
    pub async fn image(&self, id: ImageId) -> Result<Image, Error> {
        self.call_for_object("one.image.info", vec![id.into(), false.into()]).await
    }

    /// Makes an image. It is not ready when this returns: see
    /// [`Client::wait_image_ready`](crate::Client::wait_image_ready).
    pub async fn allocate_image(
        &self,
        attributes: &Attributes,
        datastore: DatastoreId,
    ) -> Result<ImageId, Error> {
        let method = "one.image.allocate";
        let text = template(method, attributes)?;
        self.call_for_id(method, vec![text, datastore.into(), false.into()]).await
    }

    /// Changes an image's template.
    pub async fn update_image(
        &self,
        id: ImageId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.image.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Rights in the order owner, group, others; each use, manage, administer. -1 keeps.
    pub async fn chmod_image(&self, id: ImageId, rights: [i32; 9]) -> Result<(), Error> {
        let mut parameters = vec![Value::from(id)];
        parameters.extend(rights.map(Value::from));
        self.call_for_nothing("one.image.chmod", parameters).await
    }

    /// Deletes an image; it is gone a little later.
    pub async fn delete_image(&self, id: ImageId) -> Result<(), Error> {
        self.call_for_nothing("one.image.delete", vec![id.into()]).await
    }

    /// Templates of machines, newest first.
    pub async fn templates(&self, page: Page) -> Result<Vec<Template>, Error> {
        self.page("one.templatepool.info", page).await
    }

    /// One template.
    pub async fn template(&self, id: TemplateId) -> Result<Template, Error> {
        self.call_for_object("one.template.info", vec![id.into(), false.into()]).await
    }

    /// Makes a template.
    pub async fn allocate_template(&self, attributes: &Attributes) -> Result<TemplateId, Error> {
        let method = "one.template.allocate";
        let text = template(method, attributes)?;
        self.call_for_id(method, vec![text]).await
    }

    /// Changes a template.
    pub async fn update_template(
        &self,
        id: TemplateId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.template.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Makes a machine of a template; `extra` adds to it or replaces parts of it.
    pub async fn instantiate(
        &self,
        id: TemplateId,
        name: &str,
        extra: &Attributes,
    ) -> Result<MachineId, Error> {
        let method = "one.template.instantiate";
        let extra = if extra.is_empty() { Value::from("") } else { template(method, extra)? };
        let parameters = vec![id.into(), name.into(), false.into(), extra, false.into()];
        self.call_for_id(method, parameters).await
    }

    /// Deletes a template; its images stay.
    pub async fn delete_template(&self, id: TemplateId) -> Result<(), Error> {
        self.call_for_nothing("one.template.delete", vec![id.into(), false.into()]).await
    }
}
