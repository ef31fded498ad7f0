//! Request fields with many spellings, cut down to the few values by which answers really differ.
//!
//! RFC 9111, section 4.1, lets a cache normalise what it compares. It may do so only as far as the meaning stays, and
//! no cache knows what an app makes of `Accept-Language: de-CH, de;q=0.9, *;q=0.5`. The operator does: with a rule, the
//! *request* is changed before anything looks at it, so that the app is asked in the few values that are also compared.
//! What is stored is then the answer to exactly that request, and two clients with the same values get what each of
//! them would have got.
//!
//! `normalise(normalise(x)) = normalise(x)`: a request may pass twice (a background refresh is made of the request that
//! caused it), and a client may send a value of the list itself.

pub mod device;
pub mod field;
pub mod language;

use http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::header::{Edit, Vary};
pub use device::{DeviceClass, X_DEVICE_CLASS};
pub use field::Mapping;
pub use language::Languages;

/// What the operator wants cut down; nothing by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalise {
    pub languages: Option<Languages>,
    pub device: DeviceRule,
    pub fields: Vec<(HeaderName, Mapping)>,
}

/// How the app hears of the class of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceRule {
    #[default]
    Off,
    /// In `X-Device-Class`; for apps that know it.
    Header,
    /// And in a `User-Agent` that is typical of the class, for apps that look for words in that.
    UserAgent,
}

impl Normalise {
    /// Whether no request is changed.
    pub fn is_off(&self) -> bool {
        self.languages.is_none() && self.device == DeviceRule::Off && self.fields.is_empty()
    }

    /// The changes to a request that may be answered from the cache. The operator's own mappings come last: they see
    /// what the client sent, and have the last word.
    pub fn edits(&self, request: &HeaderMap) -> Vec<Edit> {
        let mut edits = Vec::new();
        if let Some(languages) = &self.languages {
            edits.push(set(ACCEPT_LANGUAGE, languages.best(request)));
        }
        if self.device != DeviceRule::Off {
            let class = DeviceClass::of(request);
            edits.push(Edit::Set(X_DEVICE_CLASS, HeaderValue::from_static(class.label())));
            if self.device == DeviceRule::UserAgent {
                edits.push(Edit::Set(USER_AGENT, HeaderValue::from_static(class.user_agent())));
            }
        }
        edits.extend(self.fields.iter().map(|(name, mapping)| match mapping.value(request, name) {
            Some(value) => set(name.clone(), value),
            None => Edit::Remove(name.clone()),
        }));
        edits
    }

    /// What caches downstream have to be told: `X-Device-Class` is ours, and stands for the `User-Agent` that they see.
    pub fn vary(&self, vary: &Vary) -> Option<Edit> {
        let by_class = self.device != DeviceRule::Off && vary.covers(&X_DEVICE_CLASS);
        by_class.then(|| vary.add(&USER_AGENT)).flatten()
    }

    /// Whether a field reaches the app in a few values only.
    pub fn covers(&self, name: &HeaderName) -> bool {
        (*name == ACCEPT_LANGUAGE && self.languages.is_some())
            || (*name == USER_AGENT && self.device == DeviceRule::UserAgent)
            || self.fields.iter().any(|(mapped, _)| mapped == name)
    }
}

fn set(name: HeaderName, value: &str) -> Edit {
    Edit::Set(
        name,
        HeaderValue::from_str(value).expect("values of rules are checked as field values when they are read"),
    )
}

#[cfg(test)]
mod tests;
