//! Kernels that compete for products with int8 inputs, on one thread: tables of subset sums against dot products of bytes.
//!
//! `cargo bench -p rbe_benches --bench crossover` prints GMAC/s, medians of interleaved runs: first of both products, by the kernels of rbe_core
//! for layers of few and of many rows; then of the forward product of a layer 768 to 3072 beside kernels that rbe_core does not have. These
//! compute the same sums: the bits of sixteen rows become bytes 0 and 1, four columns to a 32-bit lane, and an instruction multiplies them by
//! four inputs. They are given decoded levels and inputs in the order of those bytes, which the kernels of rbe_core make themselves.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[path = "crossover/by_bytes.rs"]
mod by_bytes;

#[cfg(target_arch = "x86_64")]
mod measure {
    use std::time::Instant;

    use rbe_benches::Case;
    use rbe_core::Result;
    use rbe_core::isa::{Isa, set_isa};
    use rbe_core::kernel::packed::quantised::{Method, dx_by, forward_by, quantise};
    use rbe_core::packed::Quantised;

    use super::by_bytes::{Bytes, KERNELS};

    /// Inputs and outputs of the layers of few and of many rows.
    const LAYERS: [(usize, usize); 6] = [(128, 128), (512, 128), (256, 256), (128, 512), (256, 1024), (768, 3072)];
    /// Their samples.
    const SAMPLES: [usize; 5] = [16, 32, 128, 512, 2048];
    /// Samples of the layer beside kernels that rbe_core does not have.
    const BATCHES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 512];

    /// Kernels of rbe_core.
    struct Kernels {
        set: &'static str,
        method: Method,
    }

    impl Kernels {
        fn all() -> Vec<Kernels> {
            let mut all = vec![];
            for isa in Isa::available().filter(|isa| isa.vectors().is_some()) {
                if isa.name() != "amx" {
                    all.push(Kernels { set: isa.name(), method: Method::Tables });
                }
                if isa.name() == "amx" || isa.name() == "avx512" && is_x86_feature_detected!("avx512vnni") {
                    all.push(Kernels { set: isa.name(), method: Method::Dots });
                }
            }
            all
        }

        fn name(&self) -> String {
            format!("{}, {}", if self.method == Method::Dots { "dots" } else { "tables" }, self.set)
        }
    }

    fn rounded(case: &Case) -> (Vec<i8>, Vec<f32>) {
        let (mut values, mut scales) = (vec![0i8; case.x.len()], vec![0.0; case.batch]);
        quantise(&case.x, &mut values, &mut scales);
        (values, scales)
    }

    fn header(first: &str, names: &[String]) {
        println!("| {first} | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    }

    fn row(first: &str, case: &Case, seconds: &mut [Vec<f64>]) {
        let speed = seconds.iter_mut().map(|seconds| {
            seconds.sort_by(f64::total_cmp);
            format!("{:.0}", case.macs() as f64 / seconds[seconds.len() / 2] / 1e9)
        });
        println!("| {first} | {} |", speed.collect::<Vec<_>>().join(" | "));
    }

    /// Runs each `run(i)` in turn for some seconds; the times of each.
    fn in_turn(n: usize, most: f64, mut run: impl FnMut(usize)) -> Vec<Vec<f64>> {
        let mut seconds = vec![vec![]; n];
        let start = Instant::now();
        while seconds[0].len() < 5 || start.elapsed().as_secs_f64() < most {
            for (i, seconds) in seconds.iter_mut().enumerate() {
                let now = Instant::now();
                run(i);
                seconds.push(now.elapsed().as_secs_f64());
            }
        }
        seconds
    }

    /// Both products by the kernels of rbe_core.
    pub fn layers(smoke: bool) -> Result<()> {
        let all = Kernels::all();
        let products = ["forward", "dx"];
        let names = products.iter().flat_map(|product| all.iter().map(move |kernels| format!("{product}: {}", kernels.name())));
        header("layer, samples", &names.collect::<Vec<_>>());
        for (inputs, outputs) in LAYERS.into_iter().take(if smoke { 1 } else { LAYERS.len() }) {
            for samples in SAMPLES.into_iter().take(if smoke { 1 } else { SAMPLES.len() }) {
                let case = Case::new(inputs, outputs, samples)?;
                let (values, scales) = rounded(&case);
                let x = Quantised { values: &values, scales: &scales };
                let mut y = vec![vec![0.0f32; case.dy.len()]; all.len()];
                let mut dx = vec![vec![0.0f32; case.x.len()]; all.len()];
                let mut seconds = in_turn(2 * all.len(), if smoke { 0.0 } else { 0.8 }, |i| {
                    let (product, i) = (i / all.len(), i % all.len());
                    let Kernels { set, method } = all[i];
                    set_isa(Some(set)).expect("a set of this machine");
                    match product {
                        0 => forward_by(method, x, &case.weight, None, &mut y[i]),
                        _ => dx_by(method, &case.dy, samples, &case.weight, &mut dx[i]),
                    }
                });
                assert!(y.iter().all(|of| *of == y[0]) && dx.iter().all(|of| *of == dx[0]), "kernels differ");
                row(&format!("{inputs} to {outputs}, {samples}"), &case, &mut seconds);
            }
        }
        Ok(())
    }

    /// The forward product of one layer, with kernels that rbe_core does not have.
    pub fn batches(smoke: bool) -> Result<()> {
        let (all, others) = (Kernels::all(), KERNELS.iter().filter(|kernel| (kernel.is_available)()).collect::<Vec<_>>());
        let names = all.iter().map(Kernels::name).chain(others.iter().map(|kernel| kernel.name.to_string()));
        let names: Vec<String> = names.collect();
        header("batch", &names);
        for batch in BATCHES.into_iter().filter(|batch| !smoke || [1, 16].contains(batch)) {
            let case = Case::new(768, if smoke { 64 } else { 3072 }, batch)?;
            let (values, scales) = rounded(&case);
            let x = Quantised { values: &values, scales: &scales };
            let bytes = Bytes::new(&case, x);
            let mut y = vec![vec![0.0f32; case.dy.len()]; names.len()];
            let mut seconds = in_turn(names.len(), if smoke { 0.0 } else { 3.0 }, |i| match all.get(i) {
                Some(Kernels { set, method }) => {
                    set_isa(Some(set)).expect("a set of this machine");
                    forward_by(*method, x, &case.weight, None, &mut y[i]);
                }
                // SAFETY: the machine has what the kernel needs.
                None => unsafe { (others[i - all.len()].run)(&bytes, &mut y[i]) },
            });
            let largest = y[0].iter().fold(0.0f32, |most, v| most.max(v.abs()));
            for (of_kernel, name) in y.iter().zip(&names) {
                let off = of_kernel.iter().zip(&y[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off <= 1e-4 * largest, "{name}: off by {off} of {largest}");
            }
            row(&batch.to_string(), &case, &mut seconds);
        }
        Ok(())
    }
}

#[cfg(target_arch = "x86_64")]
fn main() -> rbe_core::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--test");
    rbe_core::parallel::set_num_threads(1)?;
    measure::layers(smoke)?;
    println!();
    measure::batches(smoke)
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("the kernels by dot products of bytes are for x86-64");
}
