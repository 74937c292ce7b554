//! Tables of subset sums against dot products of bytes: the forward product of a layer 768 to 3072 with int8 inputs, on one thread.
//!
//! `cargo bench -p rbe_benches --bench crossover` prints GMAC/s, medians of interleaved runs. `tables` are the kernels of rbe_core. The others
//! compute the same sums: the bits of sixteen rows become bytes 0 and 1, four columns to a 32-bit lane, and an instruction multiplies them by
//! four inputs. They are given decoded levels and inputs in the order of those bytes, which the kernels of rbe_core make themselves.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[path = "crossover/by_bytes.rs"]
mod by_bytes;

#[cfg(target_arch = "x86_64")]
fn main() {
    use std::time::Instant;

    use by_bytes::{Bytes, KERNELS};
    use rbe_benches::Case;
    use rbe_core::isa::{Isa, set_isa};
    use rbe_core::kernel::packed::quantised::{forward, quantise};
    use rbe_core::packed::Quantised;
    use rbe_core::parallel;

    let smoke = std::env::args().any(|argument| argument == "--test");
    let (inputs, outputs) = (768, if smoke { 64 } else { 3072 });
    let batches: &[usize] = if smoke { &[1, 9] } else { &[1, 2, 4, 8, 16, 32, 64, 128, 512] };
    parallel::set_num_threads(1).expect("one thread");
    let kernels: Vec<_> = KERNELS.iter().filter(|kernel| (kernel.is_available)()).collect();
    let sets: Vec<&str> = Isa::available().filter(|isa| isa.vectors().is_some()).map(Isa::name).collect();
    let names = sets.iter().map(|set| format!("tables, {set}")).chain(kernels.iter().map(|kernel| kernel.name.to_string()));
    let names: Vec<String> = names.collect();
    println!("| batch | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for batch in batches {
        let case = Case::new(inputs, outputs, *batch).expect("positive sizes");
        let (mut values, mut scales) = (vec![0i8; case.x.len()], vec![0.0; case.batch]);
        quantise(&case.x, &mut values, &mut scales);
        let x = Quantised { values: &values, scales: &scales };
        let bytes = Bytes::new(&case, x);
        let mut y = vec![vec![0.0f32; case.dy.len()]; names.len()];
        let mut seconds = vec![vec![]; names.len()];
        let start = Instant::now();
        while seconds[0].len() < 5 || !smoke && start.elapsed().as_secs_f64() < 3.0 {
            for (i, (y, seconds)) in y.iter_mut().zip(&mut seconds).enumerate() {
                if let Some(set) = sets.get(i) {
                    set_isa(Some(set)).expect("a set of this machine");
                }
                let now = Instant::now();
                match i.checked_sub(sets.len()) {
                    None => forward(x, &case.weight, None, y),
                    // SAFETY: the machine has what the kernel needs.
                    Some(i) => unsafe { (kernels[i].run)(&bytes, y) },
                }
                seconds.push(now.elapsed().as_secs_f64());
            }
        }
        let largest = y[0].iter().fold(0.0f32, |most, v| most.max(v.abs()));
        for (of_kernel, name) in y.iter().zip(&names) {
            let off = of_kernel.iter().zip(&y[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off <= 1e-4 * largest, "{name}: off by {off} of {largest}");
        }
        let speed = seconds.iter_mut().map(|seconds| {
            seconds.sort_by(f64::total_cmp);
            format!("{:.0}", case.macs() as f64 / seconds[seconds.len() / 2] / 1e9)
        });
        println!("| {batch} | {} |", speed.collect::<Vec<_>>().join(" | "));
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("the kernels by dot products of bytes are for x86-64");
}
