//! An account of Swift: who we are there, and requests that are tried again.
//!
//! Promise: a request is answered, or tried again while that may help; a session that has ended is begun anew, once a request.
//! Invariant: every request may be repeated, so what is answered to a repetition may be about the first try (see
//! [`Answer::is_repeated`]). No token and no key is ever displayed.
//! Rules: Swift's API v1, TempAuth and Keystone's API v3, from OpenStack's documentation.
//! Not here: what the requests mean.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use http::{HeaderMap, Method, Request, StatusCode};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, SpawnedReqwestConnector,
};
use object_store::{Error as StoreError, PutPayload};
use serde_json::{Value, json};
use url::Url;

use crate::storage::error::Unusable;
use crate::storage::secrets::Secrets;
use crate::storage::store::{FIRST_PAUSE, LONGEST_PAUSE, RETRIES, options, plain_url};

const STORE: &str = "Swift";

/// An account, and the client to reach it.
pub struct Account {
    client: HttpClient,
    way: Way,
    session: Mutex<Option<Arc<Session>>>,
}

/// How a session is begun.
enum Way {
    /// With TempAuth, or what answers as it does.
    V1 { url: String, user: String, key: String },
    /// With Keystone.
    V3 { url: String, body: Value, region: Option<String>, storage: Option<String> },
    /// With a token that somebody else got.
    Given(Arc<Session>),
}

struct Session {
    token: String,
    storage: String,
}

/// A request to the account.
pub struct Ask<'r> {
    /// What to do.
    pub method: Method,
    /// The names below the account's URL: the container, the parts of the object's name.
    pub names: &'r [&'r str],
    /// What stands behind the `?`, in pairs.
    pub query: &'r [(&'r str, &'r str)],
    /// More headers.
    pub headers: &'r [(&'static str, String)],
    /// What is sent.
    pub body: PutPayload,
}

/// What was answered.
pub struct Answer {
    /// The response; its status is not one that a repetition might change.
    pub response: HttpResponse,
    /// Whether an earlier try of the same request may have done its work.
    pub is_repeated: bool,
}

impl Account {
    /// The account of a service, as the `secrets` know it. Errors: a sentence.
    pub fn new(service: &str, secrets: &Secrets, connector: &SpawnedReqwestConnector) -> Result<Self, String> {
        let way = Way::find(&|name| secrets.get(name, service))?;
        plain_url(way.url())
            .map_err(|rule| format!("the URL to log in at (ST_AUTH, OS_AUTH_URL or OS_STORAGE_URL) {rule}"))?;
        let client = connector.connect(&options(way.url())).map_err(|error| error.to_string())?;
        Ok(Self { client, way, session: Mutex::default() })
    }

    /// Asks, again where that may help.
    ///
    /// Errors: `Generic` where no answer came or the last one was that the server is in trouble; `Unauthenticated`.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, StoreError> {
        let mut is_repeated = false;
        let mut begun_anew = false;
        let mut pauses = Pauses::default();
        loop {
            let session = self.session().await?;
            let request = self.request(ask, &session)?;
            match self.client.execute(request).await {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED && !begun_anew => {
                    begun_anew = true;
                    self.forget(&session);
                    continue;
                }
                Ok(response) if !is_trouble(response.status()) => return Ok(Answer { response, is_repeated }),
                Ok(response) => pauses.wait(|| failed(format!("the server answered {}", response.status()))).await?,
                Err(error) => pauses.wait_after(&session.storage, error).await?,
            }
            is_repeated = true;
        }
    }

    /// The session, begun if there is none.
    async fn session(&self) -> Result<Arc<Session>, StoreError> {
        if let Way::Given(session) = &self.way {
            return Ok(Arc::clone(session));
        }
        let known = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(session) = known {
            return Ok(session);
        }
        let mut pauses = Pauses::default();
        loop {
            match self.client.execute(self.login()?).await {
                Ok(response) if is_trouble(response.status()) => {
                    pauses.wait(|| failed(format!("the server answered {} to the log-in", response.status()))).await?;
                }
                Ok(response) => {
                    let session = Arc::new(self.begun(response).await?);
                    *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
                    return Ok(session);
                }
                Err(error) => pauses.wait_after(self.way.url(), error).await?,
            }
        }
    }

    /// Forgets a session that has ended, unless another is there already.
    fn forget(&self, ended: &Arc<Session>) {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.as_ref().is_some_and(|session| Arc::ptr_eq(session, ended)) {
            *session = None;
        }
    }

    fn login(&self) -> Result<HttpRequest, StoreError> {
        let request = match &self.way {
            Way::V3 { url, body, .. } => {
                let (request, body) =
                    (Request::post(format!("{}/auth/tokens", url.trim_end_matches('/'))), body.to_string());
                let request = request.header("Content-Length", body.len());
                request.header("Content-Type", "application/json").body(body.into())
            }
            Way::V1 { url, user, key } => {
                Request::get(url).header("X-Auth-User", user).header("X-Auth-Key", key).body(Bytes::new().into())
            }
            Way::Given(_) => Request::get("").body(Bytes::new().into()),
        };
        request.map_err(failed)
    }

    async fn begun(&self, response: HttpResponse) -> Result<Session, StoreError> {
        let status = response.status();
        if !status.is_success() {
            let words = format!("the log-in was answered with {status}");
            if ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
                return Err(failed(Unusable(format!("{words}: is the URL right?"))));
            }
            let source = format!("{words}: are the user and the key right?").into();
            return Err(StoreError::Unauthenticated { path: String::new(), source });
        }
        let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let missing = |what: &str| failed(format!("the answer to the log-in has no {what}"));
        match &self.way {
            Way::V3 { region, storage, .. } => {
                let token = header("X-Subject-Token").ok_or_else(|| missing("X-Subject-Token"))?;
                let answer: Value = serde_json::from_slice(&body(response).await?).map_err(failed)?;
                let found = storage.clone().or_else(|| endpoint(&answer, region.as_deref()));
                Ok(Session {
                    token,
                    storage: found.ok_or_else(|| missing("public endpoint of an object-store in that region"))?,
                })
            }
            _ => {
                let token = header("X-Auth-Token").ok_or_else(|| missing("X-Auth-Token"))?;
                Ok(Session { token, storage: header("X-Storage-Url").ok_or_else(|| missing("X-Storage-Url"))? })
            }
        }
    }

    fn request(&self, ask: &Ask<'_>, session: &Session) -> Result<HttpRequest, StoreError> {
        let mut url = Url::parse(&session.storage).map_err(failed)?;
        let no_path = |()| failed("the account's URL can have no path");
        url.path_segments_mut().map_err(no_path)?.pop_if_empty().extend(ask.names);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let mut request =
            Request::builder().method(ask.method.clone()).uri(url.as_str()).header("X-Auth-Token", &session.token);
        for (name, value) in ask.headers {
            request = request.header(*name, value);
        }
        if ask.method == Method::PUT {
            // Known beforehand, so that what breaks off is not taken for an end.
            request = request.header("Content-Length", ask.body.content_length());
        }
        request.body(ask.body.clone().into()).map_err(failed)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account")
    }
}

impl Way {
    /// What is asked first.
    fn url(&self) -> &str {
        match self {
            Self::V1 { url, .. } | Self::V3 { url, .. } => url,
            Self::Given(session) => &session.storage,
        }
    }

    /// As the variables of the command-line clients of OpenStack say.
    fn find<'s>(get: &dyn Fn(&str) -> Option<&'s str>) -> Result<Self, String> {
        let own = |name: &str| get(name).map(str::to_owned);
        if let (Some(token), Some(storage)) = (own("OS_AUTH_TOKEN"), own("OS_STORAGE_URL")) {
            return Ok(Self::Given(Arc::new(Session { token, storage })));
        }
        let needed = |name: &str| {
            own(name).ok_or_else(|| {
                format!("{name} is not set, neither in the environment nor in the file that HEADWATER_SECRETS names")
            })
        };
        if let Some(url) = own("OS_AUTH_URL") {
            let domain = |name| get(name).unwrap_or("Default");
            let user = json!({"name": needed("OS_USERNAME")?, "password": needed("OS_PASSWORD")?, "domain": {"name": domain("OS_USER_DOMAIN_NAME")}});
            let project =
                json!({"name": needed("OS_PROJECT_NAME")?, "domain": {"name": domain("OS_PROJECT_DOMAIN_NAME")}});
            let identity = json!({"methods": ["password"], "password": {"user": user}});
            let body = json!({"auth": {"identity": identity, "scope": {"project": project}}});
            return Ok(Self::V3 { url, body, region: own("OS_REGION_NAME"), storage: own("OS_STORAGE_URL") });
        }
        let url = own("ST_AUTH").ok_or(
            "neither ST_AUTH, ST_USER and ST_KEY (TempAuth) nor OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME (Keystone) \
             are set, neither in the environment nor in the file that HEADWATER_SECRETS names",
        )?;
        Ok(Self::V1 { url, user: needed("ST_USER")?, key: needed("ST_KEY")? })
    }
}

/// The public URL of the object storage in Keystone's catalogue.
fn endpoint(answer: &Value, region: Option<&str>) -> Option<String> {
    let services = answer["token"]["catalog"].as_array()?.iter().filter(|service| service["type"] == "object-store");
    let endpoints = services.filter_map(|service| service["endpoints"].as_array()).flatten();
    let mut fit = endpoints.filter(|endpoint| {
        endpoint["interface"] == "public"
            && region.is_none_or(|region| endpoint["region"] == region || endpoint["region_id"] == region)
    });
    Some(fit.next()?["url"].as_str()?.to_owned())
}

/// The whole body of a response.
pub async fn body(response: HttpResponse) -> Result<Bytes, StoreError> {
    let expected = length(response.headers());
    let mut all = BytesMut::new();
    let mut pieces = response.into_body().bytes_stream();
    while let Some(piece) = pieces.try_next().await.map_err(failed)? {
        all.extend_from_slice(&piece);
    }
    match expected {
        Some(expected) if expected != all.len() as u64 => Err(failed("the answer broke off")),
        _ => Ok(all.freeze()),
    }
}

/// What a response says of the length of its body.
pub fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get("Content-Length")?.to_str().ok()?.parse().ok()
}

/// An error without a kind of its own.
pub fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Generic { store: STORE, source: source.into() }
}

/// An error about a server that gave no answer.
fn unanswered(url: &str, error: HttpError) -> StoreError {
    failed(Unanswered { server: url.to_owned(), source: error })
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("{server} did not answer")]
struct Unanswered {
    server: String,
    source: HttpError,
}

/// Whether the same request may be answered otherwise a little later.
fn is_trouble(status: StatusCode) -> bool {
    let soon = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    soon.contains(&status)
        || status.as_u16() == 498
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// Pauses between tries.
#[derive(Default)]
pub struct Pauses(u32);

/// How many tries one counts for that took all its time: a server that is silent is not asked for a quarter of an hour.
const SILENCE: u32 = 4;

impl Pauses {
    /// Waits before the next try after a server gave no answer; after the last one, the error.
    async fn wait_after(&mut self, server: &str, error: HttpError) -> Result<(), StoreError> {
        if error.kind() == HttpErrorKind::Timeout {
            self.0 += SILENCE - 1;
        }
        self.wait(|| unanswered(server, error)).await
    }

    /// Waits before the next try; after the last one, the error.
    pub async fn wait(&mut self, error: impl FnOnce() -> StoreError) -> Result<(), StoreError> {
        if self.0 as usize >= RETRIES {
            return Err(error());
        }
        let pause = (FIRST_PAUSE * 2_u32.pow(self.0)).min(LONGEST_PAUSE);
        self.0 += 1;
        // Many clients that failed together do not come back together.
        let part = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        tokio::time::sleep(pause.div_f64(2.0) + Duration::from_secs_f64(pause.as_secs_f64() / 2.0 * part)).await;
        Ok(())
    }
}
