//! The class of a device, from the words of its `User-Agent` (RFC 9110, section 10.1.5).
//!
//! The rules are few, so that an operator can foresee them; the first that holds decides:
//!
//! 1. `bot`: a word of crawlers and libraries - `bot`, `crawl`, `spider`, `slurp`, `curl/`, `wget/`, `python-`, `http-client`,
//!    `headless`;
//! 2. `tablet`: `iPad`, `tablet`, `Kindle`, `Silk/`, `PlayBook`; or `Android` without `Mobile`, as Google asks makers to do;
//! 3. `mobile`: `Mobi` (what MDN tells apps to look for), `iPhone`, `iPod`, `Opera Mini`, `Windows Phone`;
//! 4. `desktop`: everything else, and no `User-Agent` at all.

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName};

/// Where the app finds the class.
pub const X_DEVICE_CLASS: HeaderName = HeaderName::from_static("x-device-class");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceClass {
    Desktop,
    Mobile,
    Tablet,
    Bot,
}

const BOTS: [&str; 9] = ["bot", "crawl", "spider", "slurp", "curl/", "wget/", "python-", "http-client", "headless"];
const TABLETS: [&str; 5] = ["ipad", "tablet", "kindle", "silk/", "playbook"];
const MOBILES: [&str; 5] = ["mobi", "iphone", "ipod", "opera mini", "windows phone"];

impl DeviceClass {
    pub const ALL: [Self; 4] = [Self::Desktop, Self::Mobile, Self::Tablet, Self::Bot];

    pub fn of(request: &HeaderMap) -> Self {
        let lines = request.get_all(USER_AGENT).iter();
        let text: String = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase()).collect();
        let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if any(&BOTS) {
            Self::Bot
        } else if any(&TABLETS) || any(&["android"]) && !any(&["mobi"]) {
            Self::Tablet
        } else if any(&MOBILES) {
            Self::Mobile
        } else {
            Self::Desktop
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Bot => "bot",
        }
    }

    /// A `User-Agent` in which an app finds the words that it looks for in this class.
    pub const fn user_agent(self) -> &'static str {
        match self {
            Self::Desktop => {
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
            }
            Self::Mobile => {
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
            }
            Self::Tablet => {
                "Mozilla/5.0 (Linux; Android 10; Tablet) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
            }
            Self::Bot => "Mozilla/5.0 (compatible; bot)",
        }
    }
}
