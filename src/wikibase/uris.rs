//! How a Wikibase writes its entities as URIs.
//!
//! Promise: an IRI under the entity-data namespace of the chosen wiki, and no other, yields an entity.
//! Invariant: namespaces decide, never prefix labels. Rules: upstream's `UrisScheme` and `UrisSchemeFactory`.

use crate::wikibase::entity::EntityKind;

/// The namespaces of one Wikibase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrisScheme {
    concept: String,
    /// Where the properties come from, if they are another wiki's.
    properties: Option<&'static str>,
    entity_data: [String; 2],
}

/// Why a host name or a concept URI cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrisError {
    /// A host name is a bare name such as `wiki.example.org`, perhaps with a port.
    #[error("`{0}` is no host name: give the bare name, such as wiki.example.org")]
    Hostname(String),
    /// A concept URI is an absolute http or https URI.
    #[error("`{0}` is no concept URI: give an absolute one, such as http://wiki.example.org/entity/")]
    Concept(String),
}

impl UrisScheme {
    /// Wikidata: items, properties and lexemes.
    pub fn wikidata() -> Self {
        Self::of("www.wikidata.org", "http://www.wikidata.org/entity/".to_owned())
    }

    /// Wikimedia Commons: MediaInfo.
    pub fn commons() -> Self {
        let own = Self::of("commons.wikimedia.org", "https://commons.wikimedia.org/entity/".to_owned());
        Self { properties: Some("http://www.wikidata.org/"), ..own }
    }

    /// Another Wikibase at `hostname`; its concept URI is `http://hostname/entity/`, the default, unless set after.
    pub fn for_host(hostname: &str) -> Result<Self, UrisError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte);
        if hostname.is_empty() || !hostname.bytes().all(allowed) {
            return Err(UrisError::Hostname(hostname.to_owned()));
        }
        Ok(Self::of(hostname, format!("http://{hostname}/entity/")))
    }

    /// The same wiki with another concept URI, the namespace of `wd:`; a missing last slash is added.
    pub fn with_concept(mut self, concept: &str) -> Result<Self, UrisError> {
        let rest = concept.strip_prefix("http://").or_else(|| concept.strip_prefix("https://"));
        let allowed = |byte: u8| byte.is_ascii_graphic() && !b"<>\"{}|^`\\".contains(&byte);
        if rest.is_none_or(str::is_empty) || !concept.bytes().all(allowed) {
            return Err(UrisError::Concept(concept.to_owned()));
        }
        let slash = if concept.ends_with(['/', '#']) { "" } else { "/" };
        self.concept = format!("{concept}{slash}");
        Ok(self)
    }

    fn of(hostname: &str, concept: String) -> Self {
        let path = "wiki/Special:EntityData/";
        Self {
            concept,
            properties: None,
            entity_data: [format!("https://{hostname}/{path}"), format!("http://{hostname}/{path}")],
        }
    }

    /// Whether the wiki can have entities of that kind: MediaInfo is had by Commons alone, which has nothing else; of others than
    /// Wikidata it is not known.
    pub fn may_have(&self, kind: EntityKind) -> bool {
        let is_media = kind == EntityKind::MediaInfo;
        match self.properties {
            Some(_) => is_media,
            None => !is_media || *self != Self::wikidata(),
        }
    }

    /// The namespace of the entities themselves (`wd:`).
    pub fn concept(&self) -> &str {
        &self.concept
    }

    /// What the namespaces of all other nodes begin with: the concept URI without its last part, as Wikibase's
    /// `RdfVocabulary` derives it: `http://www.wikidata.org/`.
    pub fn root(&self) -> &str {
        let parent = self.concept.trim_end_matches(['/', '#']).rfind('/').map_or("", |slash| &self.concept[..=slash]);
        if parent.ends_with("://") || parent.is_empty() { &self.concept } else { parent }
    }

    /// What the namespaces of properties begin with: Wikidata's root on Commons, whose properties are Wikidata's.
    /// Rule: upstream's `FederatedUrisScheme`.
    pub fn property_root(&self) -> &str {
        self.properties.unwrap_or_else(|| self.root())
    }

    /// The namespaces of the entity-data documents, https and http.
    pub fn entity_data_namespaces(&self) -> impl Iterator<Item = &str> {
        self.entity_data.iter().map(String::as_str)
    }

    /// The namespace of the entity-data documents (`data:`), as Wikibase writes it today (https).
    pub fn entity_data(&self) -> &str {
        &self.entity_data[0]
    }

    /// The wiki's host, with its port if it has one, as events name it.
    pub fn host(&self) -> &str {
        let data = self.entity_data();
        let rest = data.split_once("://").map_or(data, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// What follows the entity-data namespace, http or https, in `iri`.
    pub fn entity_data_local<'a>(&self, iri: &'a str) -> Option<&'a str> {
        self.entity_data.iter().find_map(|namespace| iri.strip_prefix(namespace.as_str()))
    }

    /// What follows the concept URI in `iri`, unless a further slash shows it to be another kind of node (a statement).
    pub fn entity_local<'a>(&self, iri: &'a str) -> Option<&'a str> {
        iri.strip_prefix(self.concept.as_str()).filter(|local| !local.contains('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_decide() {
        let example = UrisScheme::for_host("wiki.example.org").unwrap().with_concept("https://id.example.org").unwrap();
        let rows = [
            (UrisScheme::wikidata(), "https://www.wikidata.org/wiki/Special:EntityData/Q1", Some("Q1")),
            (UrisScheme::wikidata(), "http://www.wikidata.org/wiki/Special:EntityData/Q1", Some("Q1")),
            (UrisScheme::wikidata(), "https://commons.wikimedia.org/wiki/Special:EntityData/M1", None),
            (UrisScheme::commons(), "https://commons.wikimedia.org/wiki/Special:EntityData/M1", Some("M1")),
            (example.clone(), "https://wiki.example.org/wiki/Special:EntityData/Q1", Some("Q1")),
        ];
        for (scheme, iri, expected) in rows {
            assert_eq!(scheme.entity_data_local(iri), expected, "{iri}");
        }
        assert_eq!(example.entity_local("https://id.example.org/Q7"), Some("Q7"));
        assert_eq!(example.entity_local("https://id.example.org/statement/Q7-1"), None);
        assert_eq!(example.root(), "https://id.example.org/");
        assert_eq!(UrisScheme::commons().root(), "https://commons.wikimedia.org/");
        assert!(UrisScheme::for_host("https://wiki.example.org/").is_err());
        let may_have = |scheme: &UrisScheme| EntityKind::ALL.map(|kind| scheme.may_have(kind));
        assert_eq!(may_have(&UrisScheme::wikidata()), [true, true, true, false]);
        assert_eq!(may_have(&UrisScheme::commons()), [false, false, false, true]);
        assert_eq!(may_have(&example), [true; 4]);
        assert!(UrisScheme::wikidata().with_concept("Q").is_err());
    }
}
