//! Can the certificate of the device be used now, and is this its key? OpenSSL reads them (feature `cms`).

use std::path::Path;

use super::Finding;

#[cfg(not(feature = "cms"))]
pub(super) fn check(certificate: &Path, _key: Option<&Path>) -> Result<Finding, String> {
    let shown = certificate.display();
    Err(format!("{shown}: this program was built without the feature `cms`, and can't read certificates"))
}

#[cfg(feature = "cms")]
pub(super) fn check(certificate: &Path, key: Option<&Path>) -> Result<Finding, String> {
    use openssl::asn1::Asn1Time;
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use std::fs;

    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let shown = certificate.display();
    let chain = X509::stack_from_pem(&read(certificate)?).map_err(|error| format!("{shown}: {error}"))?;
    // The first one is the device's own; those behind it lead to the CA, and have to be valid as well.
    let own = chain.first().ok_or_else(|| format!("{shown}: there is no certificate in it (PEM)"))?;
    let now = Asn1Time::days_from_now(0).map_err(|error| error.to_string())?;
    for link in &chain {
        if *link.not_before() > *now {
            return Err(format!("{shown}: a certificate is not valid before {}", link.not_before()));
        }
        if *link.not_after() < *now {
            return Err(format!("{shown}: a certificate was valid until {}", link.not_after()));
        }
    }
    if let Some(path) = key {
        let shown = path.display();
        // An empty password, so that nobody is asked for one.
        let key = PKey::private_key_from_pem_passphrase(&read(path)?, b"")
            .map_err(|_| format!("{shown}: there is no key in it (PEM, without a password)"))?;
        let public = own.public_key().map_err(|error| format!("{}: {error}", certificate.display()))?;
        if !key.public_eq(&public) {
            return Err(format!("{shown} is not the key of {}", certificate.display()));
        }
    }
    let until = chain.iter().map(|link| link.not_after()).min_by(|a, b| match a < b {
        true => std::cmp::Ordering::Less,
        false => std::cmp::Ordering::Greater,
    });
    Ok(format!("valid until {}", until.unwrap_or(own.not_after())).into())
}

#[cfg(all(test, feature = "cms"))]
mod tests {
    use super::*;
    use std::process::Command;

    /// A certificate for so many days from a time on, and its key, made by OpenSSL's program.
    fn make(folder: &Path, name: &str, begin: &str, end: &str) {
        let run = |args: &str| {
            let args = args.replace("NAME", name);
            let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
            assert!(output.status.success(), "{args}\n{}", String::from_utf8_lossy(&output.stderr));
        };
        run("ecparam -name prime256v1 -genkey -noout -out NAME.key");
        run("req -new -x509 -key NAME.key -subj /CN=NAME -days 1 -out NAME.tmp");
        std::fs::write(folder.join("index.txt"), "").unwrap();
        std::fs::write(folder.join("serial"), "01").unwrap();
        let config =
            "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\npolicy=p\n\
                      default_md=sha256\n[p]\ncommonName=supplied\n";
        std::fs::write(folder.join("ca.cnf"), config).unwrap();
        run("req -new -key NAME.key -subj /CN=NAME -out NAME.csr");
        run(&format!(
            "ca -batch -config ca.cnf -selfsign -keyfile NAME.key -in NAME.csr -out NAME.pem -notext \
             -startdate {begin} -enddate {end}"
        ));
    }

    #[test]
    fn it_is_valid_now_and_its_key_fits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let says = |certificate: &str, key: Option<&str>| {
            check(&at(certificate), key.map(at).as_deref()).map(|finding| finding.says)
        };
        make(folder.path(), "good", "20200101000000Z", "20491231000000Z");
        make(folder.path(), "old", "20200101000000Z", "20210101000000Z");
        make(folder.path(), "new", "20480101000000Z", "20490101000000Z");
        let valid = Ok("valid until Dec 31 00:00:00 2049 GMT".to_owned());
        assert_eq!(says("good.pem", Some("good.key")), valid);
        assert_eq!(says("good.pem", None), valid);
        assert!(says("good.pem", Some("old.key")).unwrap_err().contains("is not the key of"));
        assert!(says("good.pem", Some("good.pem")).unwrap_err().contains("there is no key in it"));
        assert!(says("good.pem", Some("none")).unwrap_err().contains("No such file"));
        assert!(says("old.pem", None).unwrap_err().ends_with("was valid until Jan  1 00:00:00 2021 GMT"));
        assert!(says("new.pem", None).unwrap_err().contains("is not valid before"));
        // One of the chain has ended.
        let chain = [at("good.pem"), at("old.pem")].map(|path| std::fs::read(path).unwrap()).concat();
        std::fs::write(at("chain.pem"), chain).unwrap();
        assert!(says("chain.pem", Some("good.key")).is_err());
        std::fs::write(at("empty.pem"), "nothing").unwrap();
        assert!(says("empty.pem", None).is_err());
        assert!(says("none", None).is_err());
    }
}
