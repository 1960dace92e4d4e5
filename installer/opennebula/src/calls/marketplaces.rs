//! Marketplaces and their appliances.

use crate::attributes::Attributes;
use crate::client::{Client, Page, Update, template};
use crate::error::Error;
use crate::ids::{MarketplaceAppId, MarketplaceId};
use crate::objects::{Marketplace, MarketplaceApp};

impl Client {
    /// All marketplaces, newest first.
    pub async fn marketplaces(&self) -> Result<Vec<Marketplace>, Error> {
        self.call_for_pool("one.marketpool.info", vec![]).await
    }

    /// One marketplace.
    pub async fn marketplace(&self, id: MarketplaceId) -> Result<Marketplace, Error> {
        self.call_for_object("one.market.info", vec![id.into(), false.into()]).await
    }

    /// Adds a marketplace. Its appliances appear after oned has read it, within ten minutes.
    pub async fn allocate_marketplace(
        &self,
        attributes: &Attributes,
    ) -> Result<MarketplaceId, Error> {
        let method = "one.market.allocate";
        let text = template(method, attributes)?;
        self.call_for_id(method, vec![text]).await
    }

    /// Changes a marketplace's template.
    pub async fn update_marketplace(
        &self,
        id: MarketplaceId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.market.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Reads a marketplace from now on, or not.
    pub async fn enable_marketplace(&self, id: MarketplaceId, on: bool) -> Result<(), Error> {
        self.call_for_nothing("one.market.enable", vec![id.into(), on.into()]).await
    }

    /// Deletes a marketplace, and its appliances with it if it is public.
    pub async fn delete_marketplace(&self, id: MarketplaceId) -> Result<(), Error> {
        self.call_for_nothing("one.market.delete", vec![id.into()]).await
    }

    /// Appliances of all marketplaces, newest first.
    pub async fn marketplace_apps(&self, page: Page) -> Result<Vec<MarketplaceApp>, Error> {
        self.page("one.marketapppool.info", page).await
    }

    /// One appliance.
    pub async fn marketplace_app(&self, id: MarketplaceAppId) -> Result<MarketplaceApp, Error> {
        self.call_for_object("one.marketapp.info", vec![id.into(), false.into()]).await
    }
}
