//! The kinds of stores, and how each is reached.
//!
//! Promise: locations of one store share one client, and with it connections and sessions.
//! Invariant: credentials come from the environment, Hadoop's and Amazon's own files, or the secrets file; see [`secrets`].
//! Not here: what is asked of a store.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use hdfs_native_object_store::HdfsObjectStoreBuilder;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::client::SpawnedReqwestConnector;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use crate::storage::error::{StorageError, copy};
use crate::storage::secrets;
use crate::storage::swift::Swift;
use crate::storage::tasks;

/// Where places are.
#[derive(Debug)]
pub struct Store {
    /// What kind of store.
    pub kind: Kind,
    /// It, as the crate's.
    pub objects: Arc<dyn ObjectStore>,
}

/// A kind of store; a new one is one variant here, one scheme and one arm below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file system.
    Local,
    /// This process's memory.
    Memory,
    /// Hadoop's file system.
    Hdfs,
    /// Amazon's S3, or what speaks as it does.
    S3,
    /// OpenStack's object storage.
    Swift,
    /// A web server, read only.
    Http,
}

/// A request is tried so many times more, in this time at most.
pub const RETRIES: usize = 8;
/// The pause after the first failure; each is twice as long as the one before.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The time after which nothing is tried again.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The time that one request may take, its body included.
const REQUEST: Duration = Duration::from_secs(60);

/// Each says who we are at Amazon; the first is the usual one.
const KEYS_OF_AMAZON: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
    "AWS_SKIP_SIGNATURE",
];

/// What S3 says, among other words, where it cannot be used as it is set up; and what that means.
const WORDS_OF_S3: &[(&str, &str)] = &[
    ("NoSuchBucket", "there is no such bucket"),
    ("AuthorizationHeaderMalformed", "it is in another region than AWS_REGION says"),
    ("400 Bad Request", "the server answered 400 Bad Request: are the endpoint, the region and the keys right?"),
    ("URL scheme is not allowed", "AWS_ALLOW_HTTP forbids an endpoint without TLS"),
];

impl Kind {
    /// The kind of store that URLs of the scheme are in.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "memory" => Some(Self::Memory),
            "hdfs" | "viewfs" => Some(Self::Hdfs),
            // Hadoop's name for the same.
            "s3" | "s3a" => Some(Self::S3),
            "swift" => Some(Self::Swift),
            "http" | "https" => Some(Self::Http),
            _ => None,
        }
    }
}

impl Store {
    /// The file system.
    pub fn local() -> Arc<Self> {
        static LOCAL: LazyLock<Arc<Store>> =
            LazyLock::new(|| Arc::new(Store { kind: Kind::Local, objects: Arc::new(LocalFileSystem::new()) }));
        Arc::clone(&LOCAL)
    }

    /// A new store in memory.
    pub fn memory() -> Arc<Self> {
        Arc::new(Self { kind: Kind::Memory, objects: Arc::new(InMemory::new()) })
    }

    /// The store of that scheme and authority. Errors: `NotSetUp`.
    pub fn open(kind: Kind, scheme: &str, authority: &str) -> Result<Arc<Self>, StorageError> {
        static OPEN: LazyLock<Mutex<HashMap<String, Arc<Store>>>> = LazyLock::new(Mutex::default);
        let root = format!("{scheme}://{authority}");
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&root) {
            return Ok(Arc::clone(store));
        }
        let store = match kind {
            Kind::Local => Self::local(),
            Kind::Memory => Self::memory(),
            Kind::Hdfs => Self::connected(kind, &root, hdfs(&root, authority))?,
            Kind::S3 => Self::connected(kind, &root, s3(authority))?,
            Kind::Swift => Self::connected(kind, &root, swift(authority))?,
            Kind::Http => Self::connected(kind, &root, http(&root))?,
        };
        open.insert(root, Arc::clone(&store));
        Ok(store)
    }

    /// A store with a client, which has asked nothing yet, or the sentence that says why there is none.
    fn connected(
        kind: Kind,
        root: &str,
        client: Result<Arc<dyn ObjectStore>, String>,
    ) -> Result<Arc<Self>, StorageError> {
        let objects = client.map_err(|reason| StorageError::NotSetUp { store: root.to_owned(), reason })?;
        Ok(Arc::new(Self { kind, objects }))
    }

    /// Why it cannot be used as it is set up, if that is what the store's words say.
    pub fn why_unusable(&self, words: &str) -> Option<&'static str> {
        let known = if self.kind == Kind::S3 { WORDS_OF_S3 } else { &[] };
        known.iter().find(|(sign, _)| words.contains(sign)).map(|(_, reason)| *reason)
    }

    /// Whether it can be written at all.
    pub fn is_writable(&self) -> bool {
        self.kind != Kind::Http
    }
}

fn swift(authority: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let parts = authority.rsplit_once('.').filter(|(container, service)| !container.is_empty() && !service.is_empty());
    let (container, service) = parts.ok_or(
        "it is written like swift://CONTAINER.SERVICE/path, where SERVICE is a name for the account of your own choice",
    )?;
    Ok(Arc::new(Swift::new(container, service, secrets::known()?, &connector()?)?))
}

fn http(root: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let http = HttpBuilder::new().with_url(root).with_http_connector(connector()?);
    let http = http.with_client_options(options(root)).with_retry(retries()).build();
    Ok(Arc::new(http.map_err(|error| error.to_string())?))
}

fn hdfs(root: &str, authority: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let runtime = tasks::runtime().map_err(|error| copy(error).to_string())?;
    let builder = HdfsObjectStoreBuilder::new().with_io_runtime(runtime.handle().clone());
    let builder = if authority.is_empty() { builder } else { builder.with_url(root) };
    let built = builder.build().map_err(|error| {
        format!("{error}; name nodes and name services come from core-site.xml and hdfs-site.xml in HADOOP_CONF_DIR")
    });
    Ok(Arc::new(built?))
}

fn s3(bucket: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let mut builder = AmazonS3Builder::new();
    let settings = secrets::known()?.of_amazon();
    let endpoint =
        ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"].iter().find_map(|name| settings.get(*name));
    // Without any of these the crate would ask a host of Amazon's own network, which only its machines can reach.
    if !KEYS_OF_AMAZON.iter().any(|name| settings.contains_key(*name)) {
        return Err(format!(
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, neither in the environment nor in ~/.aws/credentials nor in the \
             file that HEADWATER_SECRETS names, nor is another way to be known ({})",
            KEYS_OF_AMAZON[1..].join(", ")
        ));
    }
    if let Some(endpoint) = endpoint {
        plain_url(endpoint).map_err(|rule| format!("the endpoint in AWS_ENDPOINT_URL {rule}"))?;
        // Others than Amazon often lack conditional writes, and answer so after all retries only; the names that a savepoint's
        // files have make them needless.
        builder = builder.with_endpoint(endpoint).with_conditional_put(S3ConditionalPut::Disabled);
        builder = builder.with_client_options(options(endpoint));
    }
    for (name, value) in &settings {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    // Last, as there are variables for the bucket too, and the location is what was asked for.
    builder = builder.with_bucket_name(bucket).with_retry(retries()).with_http_connector(connector()?);
    Ok(Arc::new(builder.build().map_err(|error| error.to_string())?))
}

/// Makes clients that do their work on the threads of storage, whoever asks.
fn connector() -> Result<SpawnedReqwestConnector, String> {
    let runtime = tasks::runtime().map_err(|error| copy(error).to_string())?;
    Ok(SpawnedReqwestConnector::new(runtime.handle().clone()))
}

/// How to talk to the server at `url`.
pub fn options(url: &str) -> ClientOptions {
    let options = ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(Duration::from_secs(5));
    options.with_allow_http(url.starts_with("http://"))
}

/// Checks a URL of a server that comes from a variable. Errors: the rule it breaks; the URL may hold a password.
pub fn plain_url(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is no URL")?;
    match url {
        url if !matches!(url.scheme(), "http" | "https") => Err("is no URL of http or https"),
        url if !url.username().is_empty() || url.password().is_some() => Err("has a user's name or password in it"),
        _ => Ok(()),
    }
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: PATIENCE }
}
