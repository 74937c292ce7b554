//! Sorting, running sums, products and rearrangement, against results written by hand.

use rbe_core::{DType, RBETensor, RbeError};

fn ints(values: &[i64], shape: &[usize]) -> RBETensor {
    RBETensor::new(values, shape).unwrap()
}

fn values(t: &RBETensor) -> Vec<f64> {
    t.array("test").unwrap().cast(DType::F64).to_vec().unwrap()
}

/// Where `x` is above 0.
fn mask_of(x: &RBETensor) -> RBETensor {
    x.compare(&ints(&[0], &[]), rbe_core::op::Comparison::Gt).unwrap()
}

#[test]
fn sorting_is_stable_and_puts_nan_above_all() {
    let x = RBETensor::new(&[2.0, f64::NAN, -1.0, 2.0, f64::INFINITY], &[5]).unwrap();
    assert_eq!(values(&x.argsort(0, false).unwrap()), [2.0, 0.0, 3.0, 4.0, 1.0]);
    assert_eq!(values(&x.argsort(-1, true).unwrap()), [1.0, 4.0, 0.0, 3.0, 2.0]);
    let (top, at) = x.topk(3, 0, false).unwrap();
    assert_eq!(values(&top), [-1.0, 2.0, 2.0]);
    assert_eq!(values(&at), [2.0, 0.0, 3.0]);
    assert_eq!(x.topk(0, 0, true).unwrap().0.shape(), [0]);
    assert!(matches!(x.topk(6, 0, true), Err(RbeError::Value(_))));
    assert!(matches!(x.argsort(1, true), Err(RbeError::Index(_))));

    let (sorted, places) = ints(&[3, 1, 2, 0, 5, 4], &[2, 3]).sort(0, false).unwrap();
    assert_eq!(values(&sorted), [0.0, 1.0, 2.0, 3.0, 5.0, 4.0]);
    assert_eq!(values(&places), [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn running_sums_and_products_keep_integers() {
    let x = ints(&[1, 2, 3, 4, 5, 6], &[2, 3]);
    assert_eq!(values(&x.cumsum(0).unwrap()), [1.0, 2.0, 3.0, 5.0, 7.0, 9.0]);
    assert_eq!(values(&x.cumsum(-1).unwrap()), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
    assert_eq!(values(&x.prod(Some(&[1]), false).unwrap()), [6.0, 120.0]);
    assert_eq!(x.prod(None, true).unwrap().dtype(), DType::I64);
    let empty = RBETensor::new::<f32>(&[], &[0]).unwrap();
    assert_eq!(values(&empty.prod(None, false).unwrap()), [1.0]);
}

#[test]
fn the_gradient_of_a_zero_length_is_zero() {
    let x = RBETensor::new(&[0.0, 0.0, 3.0, 4.0], &[2, 2]).unwrap().requiring_grad().unwrap();
    let y = x.norm(2.0, Some(&[1]), false).unwrap();
    assert_eq!(values(&y), [0.0, 5.0]);
    y.sum(None, false).unwrap().backward().unwrap();
    let Some(rbe_core::gradient::Gradient::Dense(g)) = x.grad() else { panic!("no gradient") };
    assert_eq!(g.to_vec::<f64>().unwrap(), [0.0, 0.0, 0.6, 0.8]);
}

#[test]
fn rearrangement() {
    let x = ints(&[1, 2, 3, 4, 5, 6], &[2, 3]);
    assert_eq!(values(&x.flip(Some(&[1])).unwrap()), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    assert_eq!(values(&x.flip(None).unwrap()), [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    assert_eq!(values(&ints(&[1, 2], &[2]).repeat(&[2, 2]).unwrap()), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    assert!(matches!(x.repeat(&[2]), Err(RbeError::Shape(_))));
    assert_eq!(values(&x.tril(0).unwrap()), [1.0, 0.0, 0.0, 4.0, 5.0, 0.0]);
    assert_eq!(values(&x.triu(1).unwrap()), [0.0, 2.0, 3.0, 0.0, 0.0, 6.0]);
    assert!(matches!(ints(&[1], &[1]).tril(0), Err(RbeError::Shape(_))));

    let mask = RBETensor::new(&[1u8, 0], &[2, 1]).unwrap();
    assert_eq!(values(&x.masked_fill(&mask, -1.0).unwrap()), [-1.0, -1.0, -1.0, 4.0, 5.0, 6.0]);
    assert!(matches!(x.masked_fill(&mask, 0.5), Err(RbeError::DType(_))));
    assert!(matches!(x.masked_fill(&x, 1.0), Err(RbeError::DType(_))));
    assert!(matches!(ints(&[1, 2], &[2, 1]).masked_fill(&mask_of(&x), 1.0), Err(RbeError::Shape(_))));

    assert_eq!(values(&ints(&[0, 3, 0, 7], &[2, 2]).nonzero().unwrap()), [0.0, 1.0, 1.0, 1.0]);
    assert_eq!(ints(&[5], &[]).nonzero().unwrap().shape(), [1, 0]);
}

#[test]
fn scattering_adds_repeated_places_in_order() {
    let x = ints(&[10, 20, 30], &[3]);
    let y = x.scatter_add(0, &ints(&[0, -1, 0], &[3]), &ints(&[1, 2, 4], &[3])).unwrap();
    assert_eq!(values(&y), [15.0, 20.0, 32.0]);
    assert_eq!(values(&x), [10.0, 20.0, 30.0]);
    assert!(matches!(x.scatter_add(0, &ints(&[3], &[1]), &ints(&[1], &[1])), Err(RbeError::Index(_))));
    assert!(matches!(x.scatter_add(0, &ints(&[0], &[1]), &ints(&[1, 1], &[2])), Err(RbeError::Shape(_))));
}
