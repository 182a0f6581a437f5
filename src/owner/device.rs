//! A patient's device.

use crate::authority::Trust;
use crate::consent::{
    Access, ConsentBuilder, Devices, Head, HeadStatement, LiveConsent, Mandate, PublicDevice, Signer, StoredConsent,
};
use crate::error::Result;
use crate::id::{AuthorityId, CompartmentId, DeviceId, Time};
use crate::identity::{PublicIdentity, SealingKey, Signed, SigningKey, decode_keys, encode_keys};
use crate::pin::Pins;
use crate::secret::Secret;

/// What a patient's phone holds: keys that sign consents and open them.
#[derive(Debug)]
pub struct Device {
    id: DeviceId,
    signing: SigningKey,
    sealing: SealingKey,
}

impl Device {
    /// Draws new keys.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`](crate::Error::Randomness).
    pub fn generate(id: DeviceId) -> Result<Self> {
        Ok(Self { id, signing: SigningKey::generate()?, sealing: SealingKey::generate()? })
    }

    /// The device's id.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    /// The public keys, for the owner's list.
    pub fn public(&self) -> PublicDevice {
        PublicDevice {
            id: self.id.clone(),
            signing: self.signing.public(),
            sealing: self.sealing.public(),
            until: None,
        }
    }

    /// Starts a consent for a compartment of the owner whose list this is: the first version, unless
    /// [`ConsentBuilder::after`] says otherwise. It is for the owner alone until something else is said.
    pub fn consent<'a>(&'a self, devices: &'a Devices, compartment: CompartmentId) -> ConsentBuilder<'a> {
        ConsentBuilder::new(self.signer(), devices, compartment)
    }

    /// Shares nothing but the summary: a first consent for the compartment `summary`, which is an ordinary one, with those
    /// who satisfy the policy.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`] and [`ConsentBuilder::seal`].
    pub fn share_summary(
        &self,
        devices: &Devices,
        trust: &Trust,
        authority: &AuthorityId,
        policy: &str,
        now: Time,
    ) -> Result<(StoredConsent, Access)> {
        self.consent(devices, CompartmentId::new(SUMMARY)?).read(trust, authority, policy)?.seal(now)
    }

    /// Says that this consent is the latest. Ask the device for it when the server asks: a head is what tells a reader
    /// without memory that nothing newer is kept from her.
    ///
    /// # Errors
    ///
    /// As [`LiveConsent::open`]: a device does not speak for what it cannot open, or what a custodian sealed without the
    /// owner's own keys.
    pub fn head(&self, consent: &LiveConsent, now: Time) -> Result<Head> {
        consent.opened_sealed(&self.sealing)?.check_rules()?;
        let statement = HeadStatement {
            owner: consent.owner().clone(),
            compartment: consent.compartment().clone(),
            version: consent.version(),
            hash: consent.hash(),
            base: consent.base(),
            devices: consent.signed_under(),
            issued_at: now,
            device: self.id.clone(),
            mandate: None,
        };
        Signed::sign(statement, &self.signing)
    }

    /// Lets the consent's custodian seal the compartment again in the owner's absence, until a date, with the same terms or
    /// stricter ones: see [`MandateStatement`](crate::consent::MandateStatement).
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`](crate::Error::ApiMisuse) if the consent names another custodian or none, was not signed by
    /// the owner under the present device list, if the mandate is over before it begins, or if this device is not in the
    /// list for as long.
    pub fn mandate(
        &self,
        (devices, access): (&Devices, &Access),
        custodian: &PublicIdentity,
        until: Time,
        now: Time,
    ) -> Result<Mandate> {
        Mandate::give(self.signer(), (devices, access), custodian.clone(), (until, now))
    }

    /// The canonical bytes, for the device's own key store: `"csd" ‖ 1 ‖ u8 length ‖ id ‖ signing seed (32) ‖ sealing key
    /// (32)`.
    pub fn to_secret_bytes(&self) -> Secret<Vec<u8>> {
        encode_keys(MAGIC, self.id.as_str(), &self.signing, &self.sealing)
    }

    /// Reads a device strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`](crate::Error::Malformed) or [`Error::UnknownVersion`](crate::Error::UnknownVersion).
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (id, signing, sealing) = decode_keys(bytes, MAGIC, WHAT)?;
        Ok(Self { id, signing, sealing })
    }

    pub(crate) fn signer(&self) -> Signer<'_> {
        Signer { device: &self.id, key: &self.signing }
    }
}

impl LiveConsent {
    /// Opens the consent on one of the owner's devices.
    ///
    /// # Errors
    ///
    /// As [`LiveConsent::open`]; a device that was added later is not among the slots.
    pub fn open_as_device(&self, device: &Device, pins: &mut dyn Pins) -> Result<Access> {
        self.open_sealed(&device.sealing, pins)
    }
}

/// The compartment of [`Device::share_summary`].
const SUMMARY: &str = "summary";
const WHAT: &str = "device";
const MAGIC: &[u8; 4] = b"csd\x01";
