#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vipfleet_fuzz::definitions::run(data));
