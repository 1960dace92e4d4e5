use crate::attributes::Attributes;
use crate::ids::{MarketplaceAppId, MarketplaceId, UserId};
use crate::object::{Element, Object, ObjectError};
use crate::states::{AppState, ServiceState};

/// A marketplace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marketplace {
    /// Identifier.
    pub id: MarketplaceId,
    /// Name.
    pub name: String,
    /// Owner.
    pub owner: UserId,
    /// Whether it is read.
    pub state: ServiceState,
    /// Its driver: `one`, `http`, ...
    pub driver: String,
    /// Appliances that oned took from it.
    pub apps: Vec<MarketplaceAppId>,
    /// Its template, with `ENDPOINT`.
    pub attributes: Attributes,
}

impl Object for Marketplace {
    const ELEMENT: &'static str = "MARKETPLACE";
    const POOL: &'static str = "MARKETPLACE_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            owner: element.needed("UID")?,
            state: element.needed("STATE")?,
            driver: element.text("MARKET_MAD"),
            apps: element.ids("MARKETPLACEAPPS")?,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}

/// An appliance of a marketplace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketplaceApp {
    /// Identifier.
    pub id: MarketplaceAppId,
    /// Name; unique over all marketplaces of a cloud.
    pub name: String,
    /// Its marketplace.
    pub marketplace: MarketplaceId,
    /// State.
    pub state: AppState,
    /// Where its image is.
    pub source: String,
    /// MD5 that the marketplace tells; oned does not check it.
    pub md5: String,
    /// Size in MB.
    pub size_mb: i64,
    /// Its version.
    pub version: String,
    /// Its template.
    pub attributes: Attributes,
}

impl Object for MarketplaceApp {
    const ELEMENT: &'static str = "MARKETPLACEAPP";
    const POOL: &'static str = "MARKETPLACEAPP_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            marketplace: element.needed("MARKETPLACE_ID")?,
            state: element.needed("STATE")?,
            source: element.text("SOURCE"),
            md5: element.text("MD5"),
            size_mb: element.needed("SIZE")?,
            version: element.text("VERSION"),
            attributes: element.attributes("TEMPLATE"),
        })
    }
}
