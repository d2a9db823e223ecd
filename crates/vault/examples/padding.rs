//! Measures whether opening a payload takes as long with bad padding as with good padding and content that is no
//! password. `cargo xtask prove padding` runs it.
//!
//! It measures the opening as the worker calls it, in this process and on this machine. It says nothing about caches that
//! an attacker shares, nor about power and radiation.
#![expect(clippy::print_stdout, reason = "a program that measures says what it measured")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::id::TransportKeyId;
use lockstep_vault::secret;
use lockstep_vault::transport::{TransportKey, TransportKeySize, TransportPadding};
use uuid::Uuid;

/// What an attacker across a network could at best tell apart, in microseconds.
const DIFFERENCE: f64 = 5.0;
/// No difference is claimed only if the whole confidence interval is within half of that.
const MARGIN: f64 = DIFFERENCE / 2.0;
/// Openings one after another that are compared with each other, so that what changes slowly (clock rate, other
/// processes) is the same on both sides.
const BATCH: usize = 200;
/// The share of the shortest and of the longest times of a batch that is left out. What else the machine does only ever
/// lengthens a time, so the long half goes; a branch that depends on the padding moves the short half too.
const DISTURBED: [f64; 2] = [0.05, 0.5];
/// The share of the batches that is left out on each side.
const STRANGE: [f64; 2] = [0.2, 0.2];
/// How often the batches are drawn anew for the confidence interval.
const RESAMPLES: usize = 4000;

fn main() -> ExitCode {
    let openings = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse::<usize>());
    let Ok(openings) = openings else {
        eprintln!("the one argument is the number of openings");
        return ExitCode::FAILURE;
    };
    let bench = Bench::new();
    bench.run(openings.min(5 * BATCH), Duration::ZERO);
    let even = bench.run(openings, Duration::ZERO);
    println!("{openings} openings of RSA-2048, half with bad padding, half with good padding and undecodable content:");
    even.print();
    let planted = bench.run(openings, Duration::from_nanos((DIFFERENCE * 1000.0) as u64));
    println!("The same with {DIFFERENCE} \u{b5}s planted where the padding is bad:");
    planted.print();
    let holds = even.alike() && even.is_even() && planted.alike() && planted.is_found();
    println!(
        "{}",
        match (even.is_even(), planted.is_found()) {
            (true, true) => "No difference, and the planted one is found.",
            (false, _) => "NOT EVEN: the interval does not lie within the margin. Is the machine quiet?",
            (true, false) => "The planted difference was NOT FOUND: the measurement proves nothing.",
        }
    );
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Bench {
    key: TransportKey,
    public: Pkcs1PublicEncryptingKey,
}

/// What one run measured. Differences are bad minus good, in microseconds.
struct Measured {
    openings: [usize; 2],
    /// How many were taken as a password.
    passwords: [usize; 2],
    typical: f64,
    difference: f64,
    interval: [f64; 2],
}

impl Bench {
    fn new() -> Self {
        let id = TransportKeyId(Uuid::from_u128(1));
        let key = TransportKey::generate(id, TransportKeySize::Rsa2048, TransportPadding::Pkcs1v15).expect("a key");
        let public = STANDARD.decode(key.public_spki_base64()).expect("base64");
        let public = PublicEncryptingKey::from_der(&public).expect("a public key");
        Self { key, public: Pkcs1PublicEncryptingKey::new(public).expect("a public key") }
    }

    /// Opens so many, in random order: the library renews its blinding every so many calls, which a regular order would
    /// put all on one side. `planted` is spent, within what is timed, wherever the padding is bad.
    fn run(&self, openings: usize, planted: Duration) -> Measured {
        let mut measured =
            Measured { openings: [0; 2], passwords: [0; 2], typical: 0.0, difference: 0.0, interval: [0.0; 2] };
        let (mut differences, mut typical) = (Vec::new(), Vec::new());
        for _ in 0..openings.div_ceil(BATCH) {
            let mut times: [Vec<f64>; 2] = Default::default();
            for _ in 0..BATCH {
                let (ciphertext, is_bad) = self.payload();
                let start = Instant::now();
                let opened = self.key.open_password(&ciphertext, 0);
                if is_bad && !planted.is_zero() {
                    let until = Instant::now() + planted;
                    while Instant::now() < until {
                        std::hint::spin_loop();
                    }
                }
                let took = start.elapsed();
                let side = usize::from(is_bad);
                times[side].push(took.as_secs_f64() * 1e6);
                measured.openings[side] += 1;
                measured.passwords[side] += usize::from(opened.is_ok());
            }
            let [good, bad] = times.map(|mut times| trimmed_mean(&mut times, DISTURBED));
            differences.push(bad - good);
            typical.push(good);
        }
        measured.typical = trimmed_mean(&mut typical, STRANGE);
        measured.interval = interval(&differences);
        measured.difference = trimmed_mean(&mut differences, STRANGE);
        measured
    }

    /// A payload whose content is random, and so practically never text; the padding of every other is destroyed.
    fn payload(&self) -> (Vec<u8>, bool) {
        let random = secret::draw_bytes::<248>();
        let length = 64 + usize::from(random[0]) % 182;
        let mut ciphertext = vec![0; self.key.ciphertext_length()];
        self.public.encrypt(&random[2..2 + length], &mut ciphertext).expect("it fits");
        let is_bad = random[1] & 1 == 1;
        ciphertext[128] ^= u8::from(is_bad);
        (ciphertext, is_bad)
    }
}

impl Measured {
    /// Nothing was taken as a password, on either side.
    fn alike(&self) -> bool {
        self.passwords == [0, 0]
    }

    fn is_even(&self) -> bool {
        let [low, high] = self.interval;
        -MARGIN < low && high < MARGIN
    }

    fn is_found(&self) -> bool {
        let [low, _] = self.interval;
        low > 0.0 && !self.is_even()
    }

    fn print(&self) {
        let ([good, bad], [low, high]) = (self.openings, self.interval);
        println!("  {good} good and {bad} bad; taken as a password: {:?}", self.passwords);
        println!("  an opening takes {:.1} \u{b5}s", self.typical);
        println!(
            "  bad minus good: {:+.3} \u{b5}s, 99 % confidence interval {low:+.3} to {high:+.3} \u{b5}s",
            self.difference
        );
    }
}

/// The mean without these shares of the smallest and of the largest.
fn trimmed_mean(values: &mut [f64], shares: [f64; 2]) -> f64 {
    values.sort_by(f64::total_cmp);
    let [low, high] = shares.map(|share| (values.len() as f64 * share) as usize);
    let kept = &values[low..values.len() - high];
    kept.iter().sum::<f64>() / kept.len() as f64
}

/// The bootstrap's 99 % interval of the trimmed mean (Efron 1979): what it would be, had other batches been measured.
fn interval(differences: &[f64]) -> [f64; 2] {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Xorshift (Marsaglia 2003): which batches are drawn is no secret.
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % differences.len() as u64) as usize
    };
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut drawn: Vec<f64> = differences.iter().map(|_| differences[draw()]).collect();
            trimmed_mean(&mut drawn, STRANGE)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    [means[RESAMPLES / 200], means[RESAMPLES - 1 - RESAMPLES / 200]]
}
