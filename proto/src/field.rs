//! Reads single fields of a message. Used by the conversions; knows no message.

use crate::malformed::{Malformed, Under};
use ipnet::IpNet;
use prost_types::Duration as WireDuration;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;
use vipfleet_model::Name;
use vipfleet_model::span::Span;

/// Longest that google.protobuf.Duration allows: 10 000 years of 365.25 days, and nanoseconds.
const LONGEST: Duration = Duration::new(315_576_000_000, 999_999_999);

/// A sub-message that must be there.
pub(crate) fn required<W, T>(wire: Option<W>, field: &str) -> Result<T, Malformed>
where
    T: TryFrom<W, Error = Malformed>,
{
    present(wire, field).and_then(|wire| T::try_from(wire).under(field))
}

/// A sub-message that may be absent.
pub(crate) fn optional<W, T>(wire: Option<W>, field: &str) -> Result<Option<T>, Malformed>
where
    T: TryFrom<W, Error = Malformed>,
{
    wire.map(|wire| T::try_from(wire).under(field)).transpose()
}

/// Every sub-message, or the first malformed one with its index.
pub(crate) fn repeated<W, T>(wires: Vec<W>, field: &str) -> Result<Vec<T>, Malformed>
where
    T: TryFrom<W, Error = Malformed>,
{
    each(wires, field, T::try_from)
}

/// Every element read by `read`, or the first malformed one with its index.
pub(crate) fn each<W, T>(
    wires: Vec<W>,
    field: &str,
    read: impl Fn(W) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let indexed = wires.into_iter().enumerate();
    indexed
        .map(|(index, wire)| read(wire).map_err(|it| it.under(&format!("[{index}]")).under(field)))
        .collect()
}

/// Converted to the wire, one by one.
pub(crate) fn all<W, T: Into<W>>(values: Vec<T>) -> Vec<W> {
    values.into_iter().map(Into::into).collect()
}

/// What must be there.
pub(crate) fn present<W>(wire: Option<W>, field: &str) -> Result<W, Malformed> {
    wire.ok_or_else(|| Malformed::here("is missing").under(field))
}

/// A number that the domain keeps in fewer bits than the wire.
pub(crate) fn number<W, T>(wire: W, field: &str) -> Result<T, Malformed>
where
    W: Copy + Display,
    T: TryFrom<W> + Bounded,
{
    T::try_from(wire).map_err(|_| {
        let (least, most) = (T::LEAST, T::MOST);
        Malformed::here(format!("{wire} is out of range: {least} to {most}")).under(field)
    })
}

/// What [`number`] says about its range.
pub(crate) trait Bounded {
    const LEAST: i32;
    const MOST: i32;
}

impl Bounded for u8 {
    const LEAST: i32 = 0;
    const MOST: i32 = 255;
}

impl Bounded for u16 {
    const LEAST: i32 = 0;
    const MOST: i32 = 65_535;
}

impl Bounded for i16 {
    const LEAST: i32 = -32_768;
    const MOST: i32 = 32_767;
}

pub(crate) fn name(wire: String, field: &str) -> Result<Name, Malformed> {
    Name::try_from(wire).map_err(|invalid| Malformed::here(invalid.to_string()).under(field))
}

pub(crate) fn ip(wire: &str, field: &str) -> Result<IpAddr, Malformed> {
    text(wire, "no IP address: write it as 192.0.2.10 or 2001:db8::10").under(field)
}

/// An address with its prefix length; without one, the host's.
pub(crate) fn net(wire: &str) -> Result<IpNet, Malformed> {
    match wire.parse::<IpAddr>() {
        Ok(host) => Ok(host.into()),
        Err(_) => text(wire, "no address: write it as 192.0.2.10/24 or 2001:db8::10/64"),
    }
}

fn text<T: FromStr>(wire: &str, complaint: &str) -> Result<T, Malformed> {
    wire.parse().map_err(|_| Malformed::here(format!("{wire:?} is {complaint}")))
}

pub(crate) fn span(wire: Option<WireDuration>, field: &str) -> Result<Span, Malformed> {
    present(wire, field).and_then(|wire| length(wire).under(field))
}

pub(crate) fn span_or(
    wire: Option<WireDuration>,
    default: Span,
    field: &str,
) -> Result<Span, Malformed> {
    Ok(optional_span(wire, field)?.unwrap_or(default))
}

pub(crate) fn optional_span(
    wire: Option<WireDuration>,
    field: &str,
) -> Result<Option<Span>, Malformed> {
    wire.map(|wire| length(wire).under(field)).transpose()
}

fn length(WireDuration { seconds, nanos }: WireDuration) -> Result<Span, Malformed> {
    if seconds < 0 || nanos < 0 {
        return Err(Malformed::here(format!("{seconds} s and {nanos} ns is negative")));
    }
    let whole = Duration::from_secs(seconds.unsigned_abs());
    if nanos > 999_999_999 || whole > LONGEST {
        return Err(Malformed::here(format!("{seconds} s and {nanos} ns is no valid Duration")));
    }
    Ok(Span(whole + Duration::from_nanos(u64::from(nanos.unsigned_abs()))))
}

/// Longer than the wire can say becomes the longest it can.
pub(crate) fn duration(Span(length): Span) -> Option<WireDuration> {
    Some(WireDuration::try_from(length.min(LONGEST)).unwrap_or_default())
}

/// Maps a domain enum to the wire's and back, variant by variant of the same name. The wire's has
/// `Unspecified` besides.
macro_rules! mirrored {
    ($model:ty, $wire:ty, $($variant:ident),+) => {
        impl From<$model> for $wire {
            fn from(value: $model) -> Self {
                match value {
                    $(<$model>::$variant => Self::$variant,)+
                }
            }
        }

        impl TryFrom<$wire> for $model {
            type Error = $crate::Malformed;

            fn try_from(wire: $wire) -> Result<Self, $crate::Malformed> {
                match wire {
                    <$wire>::Unspecified => Err($crate::Malformed::here("is unspecified")),
                    $(<$wire>::$variant => Ok(Self::$variant),)+
                }
            }
        }
    };
}

pub(crate) use mirrored;

/// An enum's number; `W` is its generated type.
pub(crate) fn choice<W, T>(wire: i32, field: &str) -> Result<T, Malformed>
where
    W: TryFrom<i32>,
    T: TryFrom<W, Error = Malformed>,
{
    let known = W::try_from(wire).map_err(|_| {
        Malformed::here(format!("{wire} is no value known here: the peer may be newer"))
    });
    known.and_then(T::try_from).under(field)
}

pub(crate) fn optional_choice<W, T>(wire: Option<i32>, field: &str) -> Result<Option<T>, Malformed>
where
    W: TryFrom<i32>,
    T: TryFrom<W, Error = Malformed>,
{
    wire.map(|wire| choice::<W, T>(wire, field)).transpose()
}

pub(crate) fn choice_or<W, T>(wire: Option<i32>, default: T, field: &str) -> Result<T, Malformed>
where
    W: TryFrom<i32>,
    T: TryFrom<W, Error = Malformed>,
{
    wire.map_or(Ok(default), |wire| choice::<W, T>(wire, field))
}
