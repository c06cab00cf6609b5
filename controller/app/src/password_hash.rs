//! argon2id, in memory that goes back to the system when a hash is done.

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        Error, Output, ParamsString, PasswordHash, Result, Salt, SaltString, rand_core::OsRng,
    },
};

/// glibc maps and unmaps what is larger than 32 MiB, whatever happened before (DEFAULT_MMAP_THRESHOLD_MAX). Smaller blocks
/// it begins to keep after the first was freed: each thread that ever hashed then holds 19 MiB for good, which measured
/// 121 MB for an idle controller after five sign-ins and 21 MB this way. The part that is not used is never touched, and so
/// is not there.
const MAPPED: usize = (32 << 20) + (1 << 20);

/// A PHC string with the crate's (OWASP's) parameters.
pub(crate) fn hash(password: &[u8]) -> Result<String> {
    let salt = SaltString::generate(&mut OsRng);
    let salt = salt.as_salt();
    let output = output(&Argon2::default(), password, salt, Params::DEFAULT_OUTPUT_LEN)?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::default().into()),
        params: ParamsString::try_from(&Params::DEFAULT)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// Compares in constant time; `Error::Password` says that it is another password.
pub(crate) fn verify(password: &[u8], hash: &PasswordHash<'_>) -> Result<()> {
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Err(Error::Password) };
    let algorithm = Algorithm::try_from(hash.algorithm)?;
    let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let argon2 = Argon2::new(algorithm, version, Params::try_from(hash)?);
    match output(&argon2, password, salt, expected.len())? == expected {
        true => Ok(()),
        false => Err(Error::Password),
    }
}

fn output(argon2: &Argon2<'_>, password: &[u8], salt: Salt<'_>, length: usize) -> Result<Output> {
    let mut buffer = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut buffer)?;
    let blocks = argon2.params().block_count();
    let mut memory = Vec::with_capacity(blocks.max(MAPPED / Block::SIZE));
    memory.resize(blocks, Block::new());
    Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(password, salt, out, &mut memory)?)
    })
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    /// The crate's own way, with memory that it allocates itself, is what other programs do.
    #[test]
    fn the_same_as_the_crates() {
        let ours = hash(b"correct horse").unwrap();
        let parsed = PasswordHash::new(&ours).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        verify(b"correct horse", &parsed).unwrap();
        assert_eq!(verify(b"correct hors", &parsed), Err(Error::Password));

        let salt = SaltString::encode_b64(b"sixteen bytes...").unwrap();
        let theirs = Argon2::default().hash_password(b"battery", &salt).unwrap();
        verify(b"battery", &theirs).unwrap();
        assert_eq!(
            ours.split('$').collect::<Vec<_>>()[..4],
            theirs.to_string().split('$').collect::<Vec<_>>()[..4]
        );
    }

    #[test]
    fn other_parameters_are_those_of_the_hash() {
        let small = Params::new(64, 1, 1, Some(16)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2i, Version::V0x13, small);
        let salt = SaltString::encode_b64(b"sixteen bytes...").unwrap();
        let hash = argon2.hash_password(b"battery", &salt).unwrap();
        verify(b"battery", &hash).unwrap();
        assert_eq!(verify(b"", &hash), Err(Error::Password));
    }
}
