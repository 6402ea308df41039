#include "daemon/dev.h"

#include "crypto/certificates.h"
#include "ledger/store/data_dir.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace florin {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMonth = 30LL * 86'400;
constexpr std::int64_t kCaYears = 10LL * 365 * 86'400;
constexpr std::int64_t kServerDays = 800LL * 86'400;  // clients refuse more than 825

Result<std::string> read_file(fs::path const& file) {
    std::ifstream in{file, std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return fail(Errc::io, file.string() + ": cannot read");
    }
    return text.str();
}

Result<void> make_server_files(
    fs::path const& folder, crypto::Certificate const& ca, std::int64_t now
) {
    FLORIN_TRY(
        auto const server,
        crypto::make_server_certificate(
            ca, {"localhost", "127.0.0.1", "::1"}, {now - 86'400, now + kServerDays}
        )
    );
    FLORIN_TRY_VOID(replace_file(folder / "server.key", server.key_pem.reveal(), 0600));
    return replace_file(folder / "server.pem", server.certificate_pem, 0644);
}

}  // namespace

Result<void> replace_file(fs::path const& file, std::string_view content, unsigned mode) {
    std::string const temporary = file.string() + ".new";
    int const out = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    auto const error = [&] { return fail(Errc::io, temporary + ": " + std::strerror(errno)); };
    if (out < 0) {
        return error();
    }
    bool const written =
        ::write(out, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
        ::fsync(out) == 0;
    auto const failed = error();
    ::close(out);
    if (!written) {
        return failed;
    }
    if (::rename(temporary.c_str(), file.c_str()) != 0) {
        return error();
    }
    return ledger::sync_directory(file.parent_path());
}

Result<DevFiles> ensure_dev_tls(fs::path const& data_dir, Clock const& clock) {
    fs::path const folder = data_dir / "tls";
    std::error_code ignored;
    fs::create_directories(folder, ignored);
    FLORIN_TRY_VOID(ledger::sync_directory(data_dir));
    auto const now = static_cast<std::int64_t>(clock.wall_ns() / 1'000'000'000);
    if (!fs::exists(folder / "ca.pem")) {
        FLORIN_TRY(
            auto const ca, crypto::make_ca("Florin development CA", {now - 86'400, now + kCaYears})
        );
        FLORIN_TRY_VOID(replace_file(folder / "ca.key", ca.key_pem.reveal(), 0600));
        FLORIN_TRY_VOID(replace_file(folder / "ca.pem", ca.certificate_pem, 0644));
    }
    bool fresh = fs::exists(folder / "server.pem");
    if (fresh) {
        FLORIN_TRY(auto const pem, read_file(folder / "server.pem"));
        FLORIN_TRY(auto const until, crypto::not_after(pem));
        fresh = until > now + kMonth;
    }
    if (!fresh) {
        FLORIN_TRY(auto ca_pem, read_file(folder / "ca.pem"));
        FLORIN_TRY(auto ca_key, read_file(folder / "ca.key"));
        FLORIN_TRY_VOID(make_server_files(folder, {ca_pem, KeyBytes{std::move(ca_key)}}, now));
    }
    DevFiles files;
    FLORIN_TRY(files.certificate_pem, read_file(folder / "server.pem"));
    FLORIN_TRY(auto key, read_file(folder / "server.key"));
    files.key_pem = KeyBytes{std::move(key)};
    files.ca = fs::absolute(folder / "ca.pem");
    return files;
}

Result<crypto::KeyRing> ensure_key_file(fs::path const& file, crypto::Random& random) {
    if (fs::exists(file)) {
        return crypto::KeyRing::load(file);
    }
    return crypto::KeyRing::create(file, random);
}

Result<std::optional<DevState>> load_dev_state(fs::path const& data_dir) {
    fs::path const file = data_dir / "dev.json";
    if (!fs::exists(file)) {
        return std::nullopt;
    }
    FLORIN_TRY(auto const text, read_file(file));
    try {
        auto const json = nlohmann::json::parse(text);
        DevState state;
        state.merchant = json.at("merchant");
        state.secret_key = json.at("secret_key");
        state.publishable_key = json.at("publishable_key");
        state.admin_key = json.at("admin_key");
        state.second_admin_key = json.value("second_admin_key", "");
        state.port = json.at("port");
        state.iso8583 = json.at("iso8583");
        return state;
    } catch (nlohmann::json::exception const& error) {
        return fail(Errc::corrupt, file.string() + ": " + error.what());
    }
}

Result<void> save_dev_state(fs::path const& data_dir, DevState const& state) {
    nlohmann::ordered_json const json = {
        {"merchant", state.merchant},
        {"secret_key", state.secret_key},
        {"publishable_key", state.publishable_key},
        {"admin_key", state.admin_key},
        {"second_admin_key", state.second_admin_key},
        {"port", state.port},
        {"iso8583", state.iso8583},
    };
    return replace_file(data_dir / "dev.json", json.dump(2) + "\n", 0600);
}

}  // namespace florin
