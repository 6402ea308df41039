// Where the journal stands, and whether this daemon can do its work.
#include "crypto/hash.h"
#include "daemon/admin/service.h"

#include <nlohmann/json.hpp>

#include <system_error>

namespace florin::admin {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int kUnavailable = 503;

// What the files below a folder hold; files come and go while it is counted.
std::uint64_t size_of(fs::path const& folder) {
    std::uint64_t bytes = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator each{folder, error}, end; !error && each != end;
         each.increment(error)) {
        std::error_code gone;
        auto const size = each->is_regular_file(gone) ? each->file_size(gone) : 0;
        bytes += gone ? 0 : size;
    }
    return bytes;
}

Answer position(Call& call) {
    auto const& ledger = call.services.ledger.ledger();
    auto const head = ledger.head();
    auto const figures = ledger.figures();
    auto const id = ledger.id();
    ordered_json const body = {
        {"ledger_id", to_hex(ByteView{reinterpret_cast<char const*>(id.data()), id.size()})},
        {"sequence", head.sequence},
        {"head_sha256", crypto::hex(head.hash)},
        // Every record that was answered is durable; there is nobody else who has to have it.
        {"stable_sequence", head.sequence},
        {"as_of", call.services.ids.now_s()},
        {"size_bytes", size_of(call.services.data_dir / "ledger")},
        {"since_start",
         {{"requests", figures.requests},
          {"records", figures.records},
          {"transfers", figures.transfers},
          {"replayed", figures.replayed}}},
        {"queued", figures.queued},
    };
    co_return reply(body);
}

// The vault answers where it can be read at all: nothing has this token.
boost::asio::awaitable<std::string> vault_trouble(vault::Vault& vault) {
    VaultToken token{"none"};
    auto const answer = co_await vault.get("health", std::move(token));
    bool const is_well = answer || answer.error().code == Errc::not_found;
    co_return is_well ? std::string{} : answer.error().context;
}

Answer health(Call& call) {
    bool is_well = true;
    ordered_json connectors = ordered_json::array();
    for (auto const& [mode, parts] : call.services.modes) {
        FLORIN_CO_TRY(auto const routes, parts.routing.routes());
        bool is_any_ready = false;
        for (flow::Route const& route : routes) {
            auto const state = route.connector->health();
            is_any_ready = is_any_ready || (state.ready && route.is_enabled);
            connectors.push_back(
                {{"connector", route.connector->id().text()},
                 {"rail", route.connector->name()},
                 {"mode", mode},
                 {"enabled", route.is_enabled},
                 {"ready", state.ready},
                 {"detail", state.detail},
                 {"guard", guard_json(state)},
                 {"links", links_json(*route.connector)}}
            );
        }
        is_well = is_well && is_any_ready;
    }
    auto const read = call.documents().next_timer();
    std::string const vault = co_await vault_trouble(call.services.vault);
    is_well = is_well && read.has_value() && vault.empty();
    auto const& ledger = call.services.ledger.ledger();
    ordered_json const body = {
        {"status", is_well ? "ok" : "unavailable"},
        {"version", call.services.version},
        {"uptime_s", call.services.ids.now_s() - call.services.started_s},
        {"ledger",
         {{"ready", read.has_value()},
          {"detail", read ? "" : read.error().context},
          {"sequence", ledger.head().sequence},
          {"queued", ledger.figures().queued}}},
        {"vault", {{"ready", vault.empty()}, {"detail", vault}}},
        {"connectors", connectors},
        {"attempts_driving", call.services.attempts_driving()},
    };
    co_return reply(body, is_well ? 200 : kUnavailable);
}

}  // namespace

void add_journal(Rows& rows) {
    using api::Access;
    using http::Method;
    rows.push_back({Method::get, "/admin/v1/journal", "journal", Access::read, position});
    rows.push_back({Method::get, "/admin/v1/health", "journal", Access::read, health});
}

}  // namespace florin::admin
