use super::*;

fn shared(threshold: usize, shares: usize) -> (Secret<[u8; 32]>, Commitments, Vec<Share>) {
    let secret = random_secret().unwrap();
    let (commitments, shares) = share(&secret, threshold, shares).unwrap();
    (secret, commitments, shares)
}

fn pick(shares: &[Share], places: &[usize]) -> Vec<Share> {
    places.iter().map(|place| shares[place - 1].duplicate()).collect()
}

fn raw(share: &Share) -> Scalar {
    *scalar(&share.value).unwrap()
}

/// The polynomial through these points, evaluated anywhere: what somebody with paper and pencil does.
fn through(points: &[(Scalar, Scalar)], at: Scalar) -> Scalar {
    points.iter().fold(Scalar::ZERO, |sum, (x, y)| {
        let others = points.iter().filter(|(other, _)| other != x);
        sum + others.fold(*y, |term, (other, _)| term * (at - other) * (x - other).invert())
    })
}

#[test]
fn any_threshold_of_the_shares_give_the_secret_back() {
    for (threshold, n) in [(2, 2), (2, 3), (3, 5), (16, 16)] {
        let (secret, commitments, shares) = shared(threshold, n);
        let first: Vec<_> = (1..=threshold).collect();
        let last: Vec<_> = (n - threshold + 1..=n).rev().collect();
        let all: Vec<_> = (1..=n).collect();
        for places in [first, last, all] {
            assert!(commitments.combine(&pick(&shares, &places)).unwrap().ct_eq(&secret), "{places:?}");
        }
    }
}

#[test]
fn too_few_shares_are_an_error_and_never_another_secret() {
    let (secret, commitments, shares) = shared(3, 5);
    for places in [&[][..], &[1], &[2, 5]] {
        assert!(matches!(commitments.combine(&pick(&shares, places)), Err(Error::ApiMisuse("too few shares"))));
    }
    // The computation without its checks gives something else, and the commitment to the secret shows it.
    let wrong = interpolate(&pick(&shares, &[2, 5])).unwrap();
    assert!(!to_secret(&wrong).ct_eq(&secret));
    assert_ne!(commitments.points().unwrap()[0], RistrettoPoint::mul_base(&wrong));
}

#[test]
fn every_secret_fits_the_shares_of_fewer_than_the_threshold() {
    let (_, _, shares) = shared(3, 5);
    let known = [&shares[1], &shares[3]];
    // For each secret that the two could think of there is a polynomial of the right degree that gives their shares.
    let mut thirds = BTreeSet::new();
    for guess in [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, *random().unwrap(), *random().unwrap()] {
        let mut points: Vec<_> = known.map(|share| (Scalar::from(share.place), raw(share))).to_vec();
        points.push((Scalar::ZERO, guess));
        for share in known {
            assert_eq!(through(&points, Scalar::from(share.place)), raw(share));
        }
        assert_eq!(through(&points, Scalar::ZERO), guess);
        // Secrets and third shares go one to one, so a uniform secret leaves the third share uniform and the reverse.
        assert!(thirds.insert(through(&points, Scalar::from(1u8)).to_bytes()));
    }
}

#[test]
fn shares_of_one_secret_are_drawn_anew_each_time() {
    let secret = random_secret().unwrap();
    let values: BTreeSet<_> =
        (0..8).flat_map(|_| share(&secret, 2, 3).unwrap().1).map(|share| *share.value.expose()).collect();
    assert_eq!(values.len(), 24);
    assert!(!values.contains(secret.expose()));
}

/// Of one secret, what is shared in many ways: each bit of a share is set in about half of them, and so is each bit of what
/// lies between two shares of one way, which is a coefficient. Six standard deviations are allowed.
#[test]
fn shares_and_coefficients_are_spread_evenly() {
    const WAYS: usize = 2048;
    let secret = random_secret().unwrap();
    // The order of the group is a little above 2^252: the bits below are even, the ones above it nearly never set.
    let (mut shares, mut coefficients) = ([0_usize; 252], [0_usize; 252]);
    for _ in 0..WAYS {
        let (_, both) = share(&secret, 2, 2).unwrap();
        let between = raw(&both[1]) - raw(&both[0]);
        for (counts, value) in [(&mut shares, raw(&both[0])), (&mut coefficients, between)] {
            let bytes = value.to_bytes();
            for (bit, count) in counts.iter_mut().enumerate() {
                *count += usize::from(bytes[bit / 8] >> (bit % 8) & 1);
            }
        }
    }
    let allowed = WAYS / 2 - 136..=WAYS / 2 + 136;
    for count in shares.iter().chain(&coefficients) {
        assert!(allowed.contains(count), "{count} of {WAYS}");
    }
}

#[test]
fn a_wrong_or_lying_share_is_refused_before_anything_is_combined() {
    let (secret, commitments, shares) = shared(2, 3);
    let (_, others, foreign) = shared(2, 3);
    let mut lies = vec![foreign[1].duplicate()];
    // Another's value, place zero with the secret itself, one bit, a value over the order of the group.
    lies.push(Share { place: 2, value: shares[2].value.duplicate() });
    lies.push(Share { place: 0, value: secret.duplicate() });
    lies.push(Share { place: 2, value: to_secret(&Zeroizing::new(raw(&shares[1]) + Scalar::ONE)) });
    lies.push(Share { place: 2, value: Secret::new([0xff; 32]) });
    lies.push(Share { place: 9, value: shares[1].value.duplicate() });
    for lie in lies {
        let shares = [shares[0].duplicate(), lie];
        assert_eq!(commitments.combine(&shares).err(), Some(Error::Untrusted(WHAT)));
    }
    // Without the check, a lie changes the secret and nobody would know who lied.
    let changed = [shares[0].duplicate(), foreign[1].duplicate()];
    assert!(!to_secret(&interpolate(&changed).unwrap()).ct_eq(&secret));
    assert!(others.check(&foreign[1]).is_ok());
}

#[test]
fn a_repeated_share_is_refused() {
    let (_, commitments, shares) = shared(2, 3);
    let twice = commitments.combine(&pick(&shares, &[1, 1]));
    assert_eq!(twice.err(), Some(Error::ApiMisuse("the same share came twice")));
    assert!(commitments.combine(&pick(&shares, &[1, 2, 2])).is_err());
}

#[test]
fn commitments_that_are_no_points_or_lower_the_threshold_are_refused() {
    let (_, commitments, shares) = shared(3, 3);
    for bad in [[0; 32], [0xff; 32]] {
        let mut altered = commitments.clone();
        altered.0[2] = Commitment(bad);
        assert_eq!(altered.check(&shares[0]), Err(Error::Malformed(WHAT)));
    }
    let mut short = commitments.clone();
    short.0.truncate(1);
    assert_eq!(short.check(&shares[0]), Err(Error::Malformed(WHAT)));
    let mut cut = commitments;
    cut.0.truncate(2);
    assert_eq!(cut.check(&shares[0]), Err(Error::Untrusted(WHAT)));
}

#[test]
fn impossible_thresholds_are_refused() {
    let secret = random_secret().unwrap();
    for (threshold, n) in [(0, 3), (1, 3), (4, 3), (2, 17), (2, 300)] {
        assert!(matches!(share(&secret, threshold, n), Err(Error::ApiMisuse(_))), "{threshold} of {n}");
    }
    for none in [[0; 32], [0xff; 32]] {
        assert_eq!(share(&Secret::new(none), 2, 3).err(), Some(Error::Malformed(WHAT)));
    }
}
