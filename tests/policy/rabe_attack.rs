//! Why rabe is this crate's yardstick and not its engine: the attacks, carried out on rabe 0.4.2.
//!
//! rabe maps an attribute `u` to the group element `h(u)·g`, where `h` is SHA3-256 read as a scalar and `g` a public
//! generator. The schemes it implements are proved secure for a map into the group whose discrete logarithms
//! *nobody* knows; here everybody knows all of them. So every place where a scheme relies on `H(doctor)` and
//! `H(cleaner)` being unrelated group elements, an attacker has the equation `H(doctor) = h(doctor)/h(cleaner) ·
//! H(cleaner)`, and can carry a key element, or a ciphertext row, from one attribute to another.
//!
//! Each attack below starts from what an ordinary user holds (the public parameters where needed, a key that the
//! authority issued to her, a ciphertext that she must not read), calls rabe's own `decrypt` with the honest key to
//! see it refuse, and then lets that same `decrypt` return the plaintext. No group arithmetic is imported for it:
//! the fields are public, the operators come with their types, and `h` is exported as `sha3_hash_fr`.
//!
//! The counterpart, the same computations on chartseal's capsules and keys, where each must end in the one opaque
//! error, needs the inside of the crate and is the unit test module `kem::attacks`. It would prove little if the
//! attack code were wrong; this file shows that it is right.
//!
//! The second half holds smaller defects of the same version, each of which chartseal has a test against.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rabe::schemes::{ac17, bsw, ghw11};
use rabe::utils::hash::sha3_hash_fr;
use rabe::utils::policy::msp::AbePolicy;
use rabe::utils::policy::pest::PolicyLanguage::{HumanPolicy, JsonPolicy};
use rabe::utils::policy::pest::parse;

const CHART: &[u8] = b"I21.4 acute subendocardial myocardial infarction";
const POLICY: &str = r#""doctor" and "cardiology""#;
const WANTED: [&str; 2] = ["doctor", "cardiology"];
const OWN: &str = "cleaner";

/// `h(u)`, the discrete logarithm of an attribute's group element; a macro, since the scalar type lives in a crate
/// that this one does not depend on, so a function could not name it.
macro_rules! h {
    ($attribute:expr) => {
        sha3_hash_fr($attribute).unwrap()
    };
}

/// BSW gives a key, for each attribute `u`, the pair
///
/// ```text
/// D_u = r·g2 + r_u·h(u)·g2        D'_u = r_u·g1
/// ```
///
/// where `r` ties the pairs of one user together and `r_u` is fresh for the attribute. For a target `t`, set
/// `r_t = r_u·h(u)/h(t)`. Then `r_t·h(t) = r_u·h(u)`, so `D_t = D_u` as it stands, and `D'_t = h(u)/h(t)·D'_u`: one
/// scalar multiplication, and the pair is distributed exactly as one that the authority would have issued to the same
/// user for `t`.
#[test]
fn bsw_key_of_a_cleaner_is_relabelled_and_opens_a_chart_for_doctors() {
    let (public, master) = bsw::setup();
    let chart = bsw::encrypt(&public, POLICY, HumanPolicy, CHART).unwrap();
    let honest = bsw::keygen(&public, &master, &[OWN]).unwrap();
    assert!(bsw::decrypt(&honest, &chart).is_err());

    let mut forged = honest.clone();
    let own = forged.d_j.remove(0);
    for target in WANTED {
        let mut element = own.clone();
        element.string = target.to_owned();
        element.g1 = own.g1 * (h!(OWN) * h!(target).inverse().unwrap());
        forged.d_j.push(element);
    }

    assert_eq!(bsw::decrypt(&forged, &chart).unwrap(), CHART);
}

/// The renaming alone, without the scalar, must stay closed: so it is the algebra that opened it above, and not a
/// `decrypt` that looks at names only.
#[test]
fn bsw_key_with_only_its_name_changed_stays_closed() {
    let (public, master) = bsw::setup();
    let chart = bsw::encrypt(&public, POLICY, HumanPolicy, CHART).unwrap();
    let mut renamed = bsw::keygen(&public, &master, &[OWN, "porter"]).unwrap();
    for (element, target) in renamed.d_j.iter_mut().zip(WANTED) {
        element.string = target.to_owned();
    }

    assert!(bsw::decrypt(&renamed, &chart).is_err());
}

/// GHW11 gives a key `K = α·g2 + a·r·g2`, `L = r·g2` and, for each attribute `u`, `K_u = r·h(u)·g2`. All elements of
/// one user share `r`, so `K_t = h(t)/h(u)·K_u`. Since `L` is in the key too, `K_t = h(t)·L` needs no attribute element
/// to start from at all.
#[test]
fn ghw11_key_of_a_cleaner_is_relabelled_and_opens_a_chart_for_doctors() {
    let (public, master) = ghw11::setup();
    let chart = ghw11::encrypt(&public, POLICY, HumanPolicy, CHART).unwrap();
    let honest = ghw11::keygen(&public, &master, &[OWN.to_owned()]).unwrap();
    let (transform, _) = ghw11::tkgen(honest.clone()).unwrap();
    assert!(ghw11::transform(chart.clone(), transform).is_err());

    let mut forged = honest;
    let own = forged.attr_key.remove(0);
    for target in WANTED {
        let mut element = own.clone();
        element.string = target.to_owned();
        element.k_x = own.k_x * (h!(target) * h!(OWN).inverse().unwrap());
        assert_eq!(element.k_x, forged.l * h!(target));
        forged.attr_key.push(element);
    }

    let (transform, retrieve) = ghw11::tkgen(forged).unwrap();
    let transformed = ghw11::transform(chart.clone(), transform).unwrap();
    assert_eq!(ghw11::decrypt_out(transformed, retrieve, chart.data).unwrap(), CHART);
}

/// In AC17 it is the ciphertext that is relabelled, and the cleaner's key is used as issued.
///
/// Row `i` of a ciphertext, labelled `u` and with the share matrix row `M_i`, is three elements, `l = 0, 1, 2`:
///
/// ```text
/// c_l = Σ_t s_t·A[l][t]·g,  t = 0, 1,  where  A[l][t] = h(u‖l‖t) + Σ_j M_ij·h(0‖j+1‖l‖t)
/// ```
///
/// `A` is made of hashes and of the policy, so it is public. That leaves two unknown elements, `s_0·g` and `s_1·g`,
/// under three equations: any row of any ciphertext yields them by Cramer's rule. The secret exponents themselves stay
/// hidden, but every row of every *other* policy is a public combination of the two elements. So one replaces the
/// policy with `"cleaner"`, computes its single row, and leaves alone `c_0` and the masked message, which depend on
/// `s_0` and `s_1` only.
#[test]
fn ac17_chart_for_doctors_is_relabelled_and_opens_with_the_key_of_a_cleaner() {
    let (public, master) = ac17::setup();
    let chart = ac17::cp_encrypt(&public, POLICY, CHART, HumanPolicy).unwrap();
    let honest = ac17::cp_keygen(&master, &[OWN]).unwrap();
    assert!(ac17::cp_decrypt(&honest, &chart).is_err());

    // A[l][t] of one row of a policy, as in the formula; the matrix is rabe's own.
    let coefficients = |policy: &str, row: usize| {
        let msp = AbePolicy::from_language(&policy.to_owned(), HumanPolicy).unwrap();
        let label = msp.pi[row].clone();
        [0, 1, 2].map(|l| {
            [0, 1].map(|t| {
                let mut sum = h!(&format!("{label}{l}{t}"));
                for (j, entry) in msp.m[row].iter().enumerate() {
                    let column = h!(&format!("0{}{l}{t}", j + 1));
                    match entry {
                        1 => sum = sum + column,
                        -1 => sum = sum - column,
                        _ => {}
                    }
                }
                sum
            })
        })
    };

    let a = coefficients(POLICY, 0);
    let c = &chart.ct.c[0].1;
    let determinant = (a[0][0] * a[1][1] - a[0][1] * a[1][0]).inverse().unwrap();
    let s0 = (c[0] * a[1][1] - c[1] * a[0][1]) * determinant;
    let s1 = (c[1] * a[0][0] - c[0] * a[1][0]) * determinant;
    // The third equation was not used: it confirms the solution.
    assert_eq!(s0 * a[2][0] + s1 * a[2][1], c[2]);

    let own_policy = format!("\"{OWN}\"");
    let own_row = coefficients(&own_policy, 0).map(|[a0, a1]| s0 * a0 + s1 * a1);
    let mut forged = chart.clone();
    forged.policy = (own_policy, HumanPolicy);
    forged.ct.c = vec![(OWN.to_owned(), own_row.to_vec())];

    assert_eq!(ac17::cp_decrypt(&honest, &forged).unwrap(), CHART);
}

/// Attributes are not separated from the scheme's internal names either. The master part of an AC17 key is hashed
/// under the string `01`, and so is an attribute called `01`:
///
/// ```text
/// k_p,t  = k_t·g + Σ_l h(01‖l‖t)·b_l·r_l/a_t·g + σ /a_t·g        k_p,2  = k_2·g − σ ·g
/// k_01,t =         Σ_l h(01‖l‖t)·b_l·r_l/a_t·g + σ'/a_t·g        k_01,2 =       − σ'·g
/// ```
///
/// The difference is a master part that is bound to nothing: paired with `c_0` it is the mask of every ciphertext, so
/// all other elements can be left out.
#[test]
fn ac17_attribute_named_01_opens_everything() {
    let (public, master) = ac17::setup();
    let chart = ac17::cp_encrypt(&public, POLICY, CHART, HumanPolicy).unwrap();
    let honest = ac17::cp_keygen(&master, &["01"]).unwrap();
    assert!(ac17::cp_decrypt(&honest, &chart).is_err());

    let mut forged = honest.clone();
    let (_, own) = forged.sk.k.remove(0);
    for (master_part, element) in forged.sk.k_p.iter_mut().zip(own) {
        *master_part = *master_part - element;
    }
    for element in &mut forged.sk.k_0 {
        *element = *element - *element;
    }
    forged.attr = WANTED.map(str::to_owned).to_vec();

    assert_eq!(ac17::cp_decrypt(&forged, &chart).unwrap(), CHART);
}

/// AC17 finds ciphertext rows by attribute name and adds up all that match, so an attribute that stands twice in a
/// policy spoils the sum, and nobody can ever read what was encrypted.
#[test]
fn ac17_policy_that_names_an_attribute_twice_never_opens() {
    let (public, master) = ac17::setup();
    let key = ac17::cp_keygen(&master, &["a", "b", "c"]).unwrap();
    let opens = |policy: &str| {
        let chart = ac17::cp_encrypt(&public, policy, CHART, HumanPolicy).unwrap();
        ac17::cp_decrypt(&key, &chart).is_ok()
    };

    assert!(opens(r#"("a" and "b") or ("b2" and "c")"#));
    assert!(!opens(r#"("a" and "b") or ("a" and "c")"#));
    assert!(!opens(r#""a" or "a""#));
}

/// BSW hashes the attribute of a ciphertext row only up to its first `_`, but that of a key in full. The holder of
/// `ward_7` is locked out of it, and whoever holds `ward` opens every `ward_…` by renaming the element.
#[test]
fn bsw_cuts_attribute_names_at_the_first_underscore() {
    let (public, master) = bsw::setup();
    let chart = bsw::encrypt(&public, r#""ward_7""#, HumanPolicy, CHART).unwrap();

    let rightful = bsw::keygen(&public, &master, &["ward_7"]).unwrap();
    assert!(bsw::decrypt(&rightful, &chart).is_err());

    let mut other = bsw::keygen(&public, &master, &["ward"]).unwrap();
    other.d_j[0].string = "ward_7".to_owned();
    assert_eq!(bsw::decrypt(&other, &chart).unwrap(), CHART);
}

/// Group elements are deserialised as three field elements, and nobody asks whether they satisfy the curve equation.
/// With `y` overwritten by `x`, a point would lie on the curve only if `y = ±x`, which a random one does not.
#[test]
fn points_off_the_curve_are_accepted() {
    let (public, _) = bsw::setup();
    let mut json = serde_json::to_value(&public).unwrap();
    let x = json["h"]["x"].clone();
    assert_ne!(json["h"]["y"], x);
    json["h"]["y"] = x;

    let accepted: bsw::CpAbePublicKey = serde_json::from_value(json).unwrap();
    assert_ne!(accepted.h, public.h);
    assert!(bsw::encrypt(&accepted, POLICY, HumanPolicy, CHART).is_ok());
}

/// Bytes and text from outside can stop the process.
#[test]
fn hostile_input_panics() {
    let (public, master) = bsw::setup();
    let key = bsw::keygen(&public, &master, &WANTED).unwrap();
    let mut short = bsw::encrypt(&public, POLICY, HumanPolicy, CHART).unwrap();
    short.data.truncate(11);

    let panics = |call: &dyn Fn()| catch_unwind(AssertUnwindSafe(call)).is_err();
    assert!(panics(&|| drop(bsw::decrypt(&key, &short))), "a ciphertext shorter than its nonce");
    assert!(panics(&|| drop(parse("7", HumanPolicy))), "a bare number as a policy");
    assert!(panics(&|| drop(bsw::encrypt(&public, "7", HumanPolicy, CHART))), "the same, by `encrypt`");

    let wide = r#"{"name": "and", "children": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}"#;
    let (public, _) = ac17::setup();
    assert!(panics(&|| drop(ac17::cp_encrypt(&public, wide, CHART, JsonPolicy))), "an AND of three under AC17");
}

/// The grammar tries three alternatives at each parenthesis, and parses the inside again for each. Four levels more
/// therefore cost about 81 times as much, where a linear parser would take twice as long. At that rate a policy of
/// forty characters, twenty levels deep, takes over an hour.
#[test]
fn nested_parentheses_take_exponential_time() {
    let fastest = |depth: usize| {
        let text = format!("{}\"a\"{}", "(".repeat(depth), ")".repeat(depth));
        let once = || {
            let start = Instant::now();
            assert!(parse(&text, HumanPolicy).is_ok());
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap_or(Duration::ZERO)
    };

    assert!(fastest(8) > fastest(4) * 20);
}
