//! Changes inputs: a few steps each, of bytes, of parts, of what such inputs are made of.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// What inputs of this kind are made of, and what readers stumble over.
const WORDS: [&[u8]; 40] = [
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"0",
    b"-1",
    b"1e309",
    b"-0",
    b"9223372036854775808",
    b"18446744073709551616",
    b"0.1",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"\xc3\xa9",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"\xd9\xa1",
    b"\xef\xbc\x91",
    b"\0",
    b"\r\n",
    b"%00",
    b"%2e%2e",
    b"%",
    b"+",
    b"&",
    b"=",
    b"+41791234567",
    b"00",
    b";ext=1",
    b"tel:",
    b"{\"a\":",
    b"[[[[[[[[[[[[[[[[",
    b"\x80\x80\x80\x80\x10",
    b"\xff\xff\xff\xff\x0f",
    b"\x0a\x00",
    b"Stop",
];
/// The longest input.
const LONGEST: usize = 64 * 1024;

/// Inputs, and the dice.
pub(super) struct Mutator {
    inputs: Vec<Vec<u8>>,
    dice: StdRng,
}

impl Mutator {
    pub(super) fn new(inputs: Vec<Vec<u8>>, seed: u64) -> Mutator {
        let dice = StdRng::seed_from_u64(seed);
        Mutator { inputs, dice }
    }

    pub(super) fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Has an input changed further.
    pub(super) fn keep(&mut self, input: Vec<u8>) {
        self.inputs.push(input);
    }

    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut input = self.any().clone();
        let steps = 1 << self.dice.random_range(0..4_u32);
        for _ in 0..steps {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn any(&mut self) -> &Vec<u8> {
        let at = self.dice.random_range(0..self.inputs.len());
        &self.inputs[at]
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.dice.random_range(0..=input.len());
        let length = self.dice.random_range(0..=(input.len() - at).min(32));
        match self.dice.random_range(0..9_u32) {
            0 if at < input.len() => input[at] ^= 1 << self.dice.random_range(0..8_u32),
            1 if at < input.len() => input[at] = (self.dice.next_u32() & 0xff) as u8,
            2 => drop(input.drain(at..at + length)),
            3 => {
                let part = input[at..at + length].to_vec();
                insert(input, at, &part);
            }
            4 => {
                let other = self.any().clone();
                let from = self.dice.random_range(0..=other.len());
                let length = self.dice.random_range(0..=(other.len() - from).min(64));
                insert(input, at, &other[from..from + length]);
            }
            5 => {
                let times = 1 << self.dice.random_range(0..12_u32);
                let byte = [input.get(at).copied().unwrap_or(b' ')];
                insert(input, at, &byte.repeat(times));
            }
            6 => {
                let word = WORDS[self.dice.random_range(0..WORDS.len())];
                input.splice(at..at + length, word.iter().copied());
            }
            _ => {
                let word = WORDS[self.dice.random_range(0..WORDS.len())];
                insert(input, at, word);
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    input.splice(at..at, part.iter().copied());
}
