//! Which wiki's API is asked, and how.

use crate::cli::error::CliError;
use crate::cli::input::routes;
use crate::env::Env;
use crate::mediawiki::{Api, ApiError, Latest, Namespaces, Settings};
use crate::offsets::span::Span;
use crate::reconcile::repair::Wiki;
use crate::web::Route;
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// How the wiki is asked.
#[derive(Debug, clap::Args)]
pub struct ApiArgs {
    /// The wiki's API [default: https://HOST/w/api.php]
    #[arg(long, value_name = "URL", env = "HEADWATER_API")]
    api: Option<String>,
    /// Whom to ask in the place of a host, such as www.wikidata.org=https://localhost:6500
    #[arg(long = "route", value_name = "HOST=URL", env = "HEADWATER_ROUTE", value_delimiter = ',')]
    routes: Vec<String>,
    /// What to say in the header User-Agent: who you are and how to be reached, as Wikimedia asks
    #[arg(long, value_name = "TEXT", env = "HEADWATER_USER_AGENT")]
    user_agent: Option<String>,
    /// How long an answer of the API may take
    #[arg(long, value_name = "TIME", default_value = "10s", env = "HEADWATER_API_TIMEOUT", value_parser = Span::parse)]
    api_timeout: Span,
    /// What stands before the id in the titles of items, where they are not in the main namespace, such as Item
    #[arg(long, value_name = "NAME", default_value = "", env = "HEADWATER_ITEM_NAMESPACE", hide_default_value = true)]
    item_namespace: String,
}

impl ApiArgs {
    /// Who asks others: routes, and how it calls itself.
    pub fn routes(&self) -> Result<Vec<Route>, CliError> {
        routes(&self.routes)
    }

    /// The header User-Agent.
    pub fn user_agent(&self) -> &str {
        self.user_agent.as_deref().unwrap_or(crate::web::USER_AGENT)
    }

    /// The API.
    pub fn api(&self, scheme: &UrisScheme, env: &Env) -> Result<Asked, CliError> {
        let protocol = scheme.entity_data().split_once("://").map_or("https", |(protocol, _)| protocol);
        let own = || format!("{protocol}://{}/w/api.php", scheme.host());
        let settings = Settings {
            namespaces: Namespaces { items: self.item_namespace.clone(), ..Namespaces::default() },
            routes: self.routes()?,
            user_agent: self.user_agent().to_owned(),
            timeout: self.api_timeout.duration(),
            ..Settings::new(&self.api.clone().unwrap_or_else(own))
        };
        Ok(Asked { api: Api::new(settings, env)?, unchecked: Some(scheme.clone()), is_chosen: self.api.is_some() })
    }
}

/// The wiki, asked over its API, after that has said once that it is this wiki's.
pub struct Asked {
    api: Api,
    /// Which wiki it is to be of, as long as it has not said so.
    unchecked: Option<UrisScheme>,
    /// Whether the user named it.
    is_chosen: bool,
}

impl Asked {
    fn checked(&mut self) -> Result<&Api, ApiError> {
        if let Some(scheme) = &self.unchecked {
            self.api.check_wiki(scheme, self.is_chosen)?;
            self.unchecked = None;
        }
        Ok(&self.api)
    }
}

impl Wiki for Asked {
    fn latest(&mut self, entities: &[EntityId]) -> Result<Vec<Option<Latest>>, ApiError> {
        self.checked()?.latest(entities)
    }

    fn turned(&mut self, entity: EntityId, title: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
        self.checked()?.turned(entity, title)
    }
}
