//! Which operations are long work, that a host surrounds: those whose cost says so.

mod common;

use std::cell::Cell;

use common::numbers;
use rbe_core::op::{AttentionOptions, Cell as Gates, Comparison, CrossEntropyOptions, Place, Subscript, Windows, mse_loss};
use rbe_core::packed::PackedTensor;
use rbe_core::parallel::surround_long_work;
use rbe_core::tape::fuse;
use rbe_core::{DType, RBETensor, Result, random};

thread_local! {
    static TIMES: Cell<usize> = const { Cell::new(0) };
}

/// How often work on this thread was surrounded during `call`.
fn times(call: impl FnOnce()) -> usize {
    surround_long_work(|work| {
        TIMES.set(TIMES.get() + 1);
        work();
    });
    let before = TIMES.get();
    call();
    TIMES.get() - before
}

fn t(shape: &[usize]) -> RBETensor {
    RBETensor::new(&numbers::<f32>(1, shape.iter().product()), shape).unwrap()
}

fn places(n: usize, below: usize) -> RBETensor {
    RBETensor::new(&(0..n).map(|i| (i * 7 % below) as i64).collect::<Vec<_>>(), &[n]).unwrap()
}

fn array(t: &RBETensor) -> rbe_core::array::Array {
    t.array("test").unwrap().clone()
}

type Call = Box<dyn Fn() -> Result<RBETensor>>;
type Function = fn(&RBETensor) -> Result<RBETensor>;

/// Calls on tensors of about `n` × `n` elements, one of every kind of operation.
fn calls(n: usize) -> Vec<(&'static str, Call)> {
    let (x, row) = (t(&[n, n]), t(&[n]));
    let planes = t(&[1, 4, n, n / 4 + 3]);
    let windows = |kernel: usize| Windows::new("test", &[kernel; 2], &[1; 2], &[(1, 1); 2], &[1; 2]).unwrap();
    let packed = |rows: usize, cols: usize| {
        RBETensor::from_packed(PackedTensor::random(&[rows, cols], None, random::Generator::new(1).stream()).unwrap(), false)
    };
    let sequence = t(&[n, 1, 4 * n]);
    let mut list: Vec<(&'static str, Call)> = Vec::new();
    macro_rules! call {
        ($name:literal, [$($held:ident),*], $call:expr) => {{
            $(let $held = $held.clone();)*
            list.push(($name, Box::new(move || $call)));
        }};
    }
    call!("add", [x], x.add(&x));
    call!("outer product", [row], row.unsqueeze(1)?.mul(&row));
    call!("exp", [x], x.exp());
    call!("where", [x, row], x.where_(&row, &x));
    call!("clamp_between", [x, row], x.clamp_between(&row, &x));
    call!("compare", [row], row.unsqueeze(1)?.compare(&row, Comparison::Lt));
    call!("isnan", [x], x.isnan());
    call!("argmax", [x], x.argmax(None, false));
    call!("argsort", [x], x.argsort(0, false));
    call!("nonzero", [x], x.nonzero());
    call!("cast", [x], x.cast(DType::F64));
    call!("sum", [x], x.sum(None, false));
    call!("cumsum", [x], x.cumsum(0));
    call!("prod", [x], x.prod(None, false));
    call!("softmax", [x], x.softmax(0));
    call!("layer_norm", [x, row], x.layer_norm(&[n], Some(&row), None, 1e-5));
    call!("batch_norm", [x], x.batch_norm(None, None, None, true, 1e-5));
    call!("dropout", [x], x.dropout(0.5, true));
    call!("sort", [x], Ok(x.sort(0, false)?.0));
    call!("max along an axis", [x], Ok(x.extreme_along(true, 0, false)?.0));
    call!("reshape of a transposed matrix", [x], x.transpose(0, 1)?.reshape(&[-1]));
    call!("clone", [x], x.copied());
    call!("concat", [x], RBETensor::concat(&[&x, &x], 0));
    call!("repeat", [row], row.repeat(&[n]));
    call!("index_select", [x], x.index_select(0, &places(n, n)));
    call!("gather", [x], x.gather(0, &places(n * n, n).reshape(&[n as isize, n as isize])?));
    call!("scatter_add", [x], x.scatter_add(0, &places(n * n, n).reshape(&[n as isize, n as isize])?, &x));
    call!("embedding", [x], x.embedding(&places(n, n), None));
    call!("matmul", [x], x.matmul(&x));
    call!("linear", [x], x.linear(&x, None));
    let w = packed(n, n);
    call!("packed_linear", [x, w], x.packed_linear(&w, None));
    call!("packed_embedding", [w], w.embedding(&places(n, n), None));
    let filters = t(&[4, 4, 3, 3]);
    let three = windows(3);
    call!("conv", [planes, filters, three], planes.conv(&filters, None, &three, 1));
    call!("conv_transpose", [planes, filters, three], planes.conv_transpose(&filters, None, &three, &[0, 0], 1));
    call!("unfold", [planes, three], planes.unfold(&three));
    call!("max_pool", [planes, three], planes.max_pool(&three, false));
    call!("avg_pool", [planes, three], planes.avg_pool(&three, false, true, None));
    call!("adaptive_avg_pool", [planes], planes.adaptive_avg_pool(&[Some(n), Some(n)]));
    call!("attention", [x], x.attention(&x, &x, None, AttentionOptions::default()));
    let [state, weight] = [t(&[1, n]), t(&[4 * n, n])];
    call!("recurrent", [sequence, state, weight], Ok(sequence.recurrent(Gates::Lstm, &weight, None, (&state, Some(&state)), false)?.0));
    call!("mse_loss", [x], mse_loss(&x, &x));
    call!("cross_entropy", [x], x.cross_entropy(&places(n, n), CrossEntropyOptions::default()));
    call!("an index of positions", [x], x.at(&Place::new(x.shape(), &[Subscript::Array(array(&places(n, n)))])?));
    call!("a mask as index", [x, row], {
        let mask = x.compare(&row, Comparison::Lt)?;
        x.at(&Place::new(x.shape(), &[Subscript::Array(array(&mask))])?)
    });
    call!("assignment", [x, row], x.assign(&row).map(|()| row.clone()));
    call!("a change in place", [x], x.add(&x).and_then(|y| x.take_over("add_", &y)).map(|()| x.clone()));
    list
}

#[test]
fn long_operations_are_surrounded_and_short_ones_are_not() {
    for (name, call) in calls(64) {
        assert!(times(|| _ = call().unwrap()) > 0, "{name} is long");
    }
    for (name, call) in calls(7) {
        assert_eq!(times(|| _ = call().unwrap()), 0, "{name} is short");
    }
}

#[test]
fn views_and_lookups_in_large_tensors_are_not_surrounded() {
    let x = t(&[256, 256]);
    let calls: [(&str, Function); 6] = [
        ("reshape", |x| x.reshape(&[-1])),
        ("permute", |x| x.permute(&[1, 0])),
        ("slice", |x| x.narrow(0, 3, 200)),
        ("broadcast_to", |x| x.broadcast_to(&[9, 256, 256])),
        ("gather", |x| x.gather(0, &places(4, 2).reshape(&[2, 2])?)),
        ("index_select", |x| x.index_select(0, &places(2, 2))),
    ];
    for (name, call) in calls {
        assert_eq!(times(|| _ = call(&x).unwrap()), 0, "{name}");
    }
}

#[test]
fn what_waited_is_computed_in_surrounded_work_before_a_lock_is_taken() {
    let x = t(&[3]);
    assert!(times(|| _ = fuse(|| x.exp()?.sin()).unwrap()) > 0);
}
