//! Bounded, deterministic damage to inputs: equal seeds give equal inputs on every machine.

/// xorshift64* (Marsaglia 2003, Vigna 2014): small, and no dependency whose next version would
/// draw other numbers.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `bound`; 0 when that is 0.
    fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 33) as usize).checked_rem(bound).unwrap_or_default()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// Longer inputs are cut: a replay is to take seconds.
const MOST_BYTES: usize = 4096;

/// One of `inputs` with one to six changes: bytes flipped, cut, doubled or made extreme, a word
/// of the dictionary put in, a piece of another input, numbers changed.
pub fn mutated(numbers: &mut Numbers, inputs: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = numbers.one_of(inputs).cloned().unwrap_or_default();
    for _ in 0..=numbers.below(6) {
        change(numbers, &mut bytes, inputs, words);
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn change(numbers: &mut Numbers, bytes: &mut Vec<u8>, inputs: &[Vec<u8>], words: &[Vec<u8>]) {
    let at = numbers.below(bytes.len() + 1);
    let end = (at + numbers.below(16)).min(bytes.len());
    match numbers.below(9) {
        0 => flip(numbers, bytes, at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let piece = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        3 => bytes[at..end].fill(*numbers.one_of(&[0x00, 0x01, 0x7f, 0x80, 0xff]).unwrap_or(&0)),
        4 => bytes.insert(at, numbers.next() as u8),
        5 => bytes.truncate(at),
        6 => digits(numbers, bytes, at),
        7 => splice(numbers, bytes, at, inputs),
        _ => match numbers.one_of(words) {
            Some(word) if numbers.below(2) == 0 => drop(bytes.splice(at..end, word.clone())),
            Some(word) => drop(bytes.splice(at..at, word.clone())),
            None => flip(numbers, bytes, at),
        },
    }
}

fn flip(numbers: &mut Numbers, bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << numbers.below(8);
    }
}

/// The first decimal number from `at` becomes another.
fn digits(numbers: &mut Numbers, bytes: &mut Vec<u8>, at: usize) {
    const OTHERS: [&str; 8] = ["0", "1", "-1", "255", "256", "65536", "4294967296", "1e9"];
    let Some(from) = bytes[at..].iter().position(u8::is_ascii_digit) else { return };
    let from = at + from;
    let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let other = numbers.one_of(&OTHERS).map_or("0", |it| *it);
    drop(bytes.splice(from..from + length, other.bytes()));
}

/// The rest from `at` becomes a piece of another input.
fn splice(numbers: &mut Numbers, bytes: &mut Vec<u8>, at: usize, inputs: &[Vec<u8>]) {
    let Some(other) = numbers.one_of(inputs) else { return };
    let from = numbers.below(other.len() + 1);
    let piece = &other[from..(from + 1 + numbers.below(256)).min(other.len())];
    let rest = bytes.split_off(at);
    bytes.extend_from_slice(piece);
    if numbers.below(2) == 0 {
        bytes.extend_from_slice(&rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_damage_equally_and_others_otherwise() {
        let inputs = [b"interface eth0\n".to_vec(), b"priority 100\n".to_vec()];
        let words = [b"vrrp_instance".to_vec()];
        let drawn = |seed| {
            let mut numbers = Numbers::new(seed);
            (0..200).map(|_| mutated(&mut numbers, &inputs, &words)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(drawn(1).iter().any(|it| it.windows(13).any(|it| it == b"vrrp_instance")));
        assert!(drawn(1).iter().all(|it| it.len() <= MOST_BYTES));
    }

    #[test]
    fn nothing_to_damage_is_no_failure() {
        let mut numbers = Numbers::new(7);
        for _ in 0..500 {
            mutated(&mut numbers, &[], &[]);
            mutated(&mut numbers, &[Vec::new()], &[Vec::new()]);
        }
    }
}
