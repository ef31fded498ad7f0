//! The codecs that one body goes through: none, an encoder, or a decoder with what comes behind it.

use std::time::Duration;

use bytes::Bytes;
use pingora::{Error, ErrorType};

use super::identity::Identity;
use crate::encode::{BodyEncoder, Recoder, Reservation, Target, TranscodeError, USUAL_RATIO};
use crate::header::Coding;
use crate::header::coding::Source;

/// Nanoseconds a byte: decoders run at 0.4 to 1 GB/s.
const DECODING: usize = 1;

/// The codecs that run.
pub(super) enum Work {
    Pass,
    Encode(Box<BodyEncoder>),
    Recode(Source, Box<Recoder>),
}

impl Work {
    pub(super) fn new(
        encoder: Option<BodyEncoder>,
        source: Option<Source>,
        decoder: Option<Reservation>,
        keeps: bool,
    ) -> pingora::Result<Self> {
        let Some(source) = source else {
            return Ok(encoder.map_or(Self::Pass, |encoder| Self::Encode(Box::new(encoder))));
        };
        let target = match encoder {
            Some(encoder) => Target::Coded(Box::new(encoder)),
            None if keeps => Target::AsItCame,
            None => Target::Identity,
        };
        let recoder = Recoder::new(source, target)
            .map_err(|error| Error::because(ErrorType::InternalError, "starting a decoder", error))?;
        Ok(Self::Recode(
            source,
            Box::new(match decoder {
                Some(reservation) => recoder.admitted(reservation),
                None => recoder,
            }),
        ))
    }

    pub(super) fn recoder(&self) -> Option<(Source, &Recoder)> {
        match self {
            Self::Recode(source, recoder) => Some((*source, recoder)),
            Self::Pass | Self::Encode(_) => None,
        }
    }

    pub(super) fn encoder(&self) -> Option<&BodyEncoder> {
        match self {
            Self::Pass => None,
            Self::Encode(encoder) => Some(encoder),
            Self::Recode(_, recoder) => recoder.encoder(),
        }
    }

    /// The encoder, if pieces wait for each other before it.
    pub(super) fn gathers(&self) -> Option<&BodyEncoder> {
        match self {
            Self::Encode(encoder) if encoder.setup().coding == Coding::Brotli => Some(encoder),
            _ => None,
        }
    }

    pub(super) fn push(&mut self, piece: Bytes, flush: bool, identity: &mut Identity) -> Result<Bytes, TranscodeError> {
        match self {
            Self::Pass => {
                identity.see(&piece);
                Ok(piece)
            }
            Self::Encode(encoder) => {
                identity.see(&piece);
                Ok(encoder.push(&piece, flush)?)
            }
            Self::Recode(_, recoder) => recoder.push(piece, flush, |bytes| identity.see(bytes)),
        }
    }

    pub(super) fn finish(&mut self) -> Result<Option<Bytes>, TranscodeError> {
        match self {
            Self::Pass => Ok(None),
            Self::Encode(encoder) => Ok(encoder.finish()?),
            Self::Recode(_, recoder) => recoder.finish(),
        }
    }

    /// About how long a piece of so many bytes takes, or the end where it is 0.
    pub(super) fn cost(&self, piece: usize) -> Duration {
        match self {
            Self::Pass => Duration::ZERO,
            Self::Encode(encoder) => encoder.setup().cost(piece),
            Self::Recode(_, recoder) => {
                let identity = piece * USUAL_RATIO as usize;
                let encoding = recoder.encoder().map_or(Duration::ZERO, |encoder| encoder.setup().cost(identity));
                encoding + Duration::from_nanos((identity * DECODING) as u64)
            }
        }
    }

    /// The body that goes out is not, byte for byte, the one that comes in.
    pub(super) fn changes_bytes(&self) -> bool {
        match self {
            Self::Pass => false,
            Self::Encode(_) => true,
            Self::Recode(_, recoder) => recoder.changes_bytes(),
        }
    }
}
