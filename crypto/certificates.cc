#include "crypto/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <ctime>
#include <memory>

namespace florin::crypto {
namespace {

using KeyPointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePointer = std::unique_ptr<X509, decltype(&X509_free)>;
using BioPointer = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

std::unexpected<Error> openssl_error(char const* doing) {
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    return fail(Errc::io, std::string{doing} + ": " + text);
}

BioPointer reading(std::string_view text) {
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all};
}

std::string written(BIO* bio) {
    char* data = nullptr;
    long const length = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(length)};
}

bool add_extension(X509* certificate, X509* issuer, int kind, std::string const& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    bool const added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

CertificatePointer new_certificate(EVP_PKEY* key, std::string const& name, Validity validity) {
    CertificatePointer certificate{X509_new(), X509_free};
    unsigned char serial[16];
    if (!certificate || RAND_bytes(serial, sizeof serial) != 1) {
        return {nullptr, X509_free};
    }
    serial[0] &= 0x7f;
    BIGNUM* const number = BN_bin2bn(serial, sizeof serial, nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
    BN_free(number);
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_TIME_set(X509_getm_notBefore(certificate.get()), validity.from);
    ASN1_TIME_set(X509_getm_notAfter(certificate.get()), validity.until);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME_add_entry_by_txt(
        X509_get_subject_name(certificate.get()),
        "CN",
        MBSTRING_UTF8,
        reinterpret_cast<unsigned char const*>(name.c_str()),
        -1,
        -1,
        0
    );
    return certificate;
}

Result<Certificate> to_pem(X509* certificate, EVP_PKEY* key) {
    BioPointer const certificate_bio{BIO_new(BIO_s_mem()), BIO_free_all};
    BioPointer const key_bio{BIO_new(BIO_s_secmem()), BIO_free_all};
    if (PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
        PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return openssl_error("writing a certificate");
    }
    return Certificate{written(certificate_bio.get()), KeyBytes{written(key_bio.get())}};
}

}  // namespace

Result<Certificate> make_ca(std::string const& common_name, Validity validity) {
    KeyPointer const key{EVP_EC_gen("P-256"), EVP_PKEY_free};
    if (!key) {
        return openssl_error("making a key");
    }
    auto const certificate = new_certificate(key.get(), common_name, validity);
    X509* const raw = certificate.get();
    bool const made =
        raw != nullptr && X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1 &&
        add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(raw, raw, NID_subject_key_identifier, "hash") &&
        X509_sign(raw, key.get(), EVP_sha256()) > 0;
    if (!made) {
        return openssl_error("making a CA certificate");
    }
    return to_pem(raw, key.get());
}

Result<Certificate> make_server_certificate(
    Certificate const& ca, std::vector<std::string> const& names, Validity validity
) {
    auto const ca_bio = reading(ca.certificate_pem);
    auto const ca_key_bio = reading(ca.key_pem.reveal());
    CertificatePointer const issuer{
        PEM_read_bio_X509(ca_bio.get(), nullptr, nullptr, nullptr), X509_free
    };
    KeyPointer const issuer_key{
        PEM_read_bio_PrivateKey(ca_key_bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free
    };
    KeyPointer const key{EVP_EC_gen("P-256"), EVP_PKEY_free};
    if (!issuer || !issuer_key || !key || names.empty()) {
        return openssl_error("reading the CA");
    }
    std::string alternatives;
    for (std::string const& name : names) {
        unsigned char address[16];
        bool const is_ip = inet_pton(AF_INET, name.c_str(), address) == 1 ||
                           inet_pton(AF_INET6, name.c_str(), address) == 1;
        alternatives +=
            (alternatives.empty() ? "" : ",") + std::string{is_ip ? "IP:" : "DNS:"} + name;
    }
    auto const certificate = new_certificate(key.get(), names.front(), validity);
    X509* const raw = certificate.get();
    bool const made =
        raw != nullptr && X509_set_issuer_name(raw, X509_get_subject_name(issuer.get())) == 1 &&
        add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
        add_extension(raw, issuer.get(), NID_ext_key_usage, "serverAuth") &&
        add_extension(raw, issuer.get(), NID_subject_alt_name, alternatives) &&
        add_extension(raw, issuer.get(), NID_subject_key_identifier, "hash") &&
        add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid") &&
        X509_sign(raw, issuer_key.get(), EVP_sha256()) > 0;
    if (!made) {
        return openssl_error("making a server certificate");
    }
    return to_pem(raw, key.get());
}

Result<std::int64_t> not_after(std::string const& certificate_pem) {
    auto const bio = reading(certificate_pem);
    CertificatePointer const certificate{
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free
    };
    std::tm time{};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &time) != 1) {
        return openssl_error("reading a certificate");
    }
    return static_cast<std::int64_t>(timegm(&time));
}

}  // namespace florin::crypto
