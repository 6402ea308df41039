#include "tools/florin/attempts.h"

#include "ledger/reader.h"
#include "tools/florin/attempts_tables.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <set>
#include <utility>

namespace florin::tools {
namespace {

using json = nlohmann::ordered_json;

// Kinds of documents as the journal numbers them.
constexpr std::uint16_t kAttempt = 7;
constexpr std::uint16_t kOpenAttempt = 10;

bool is_open(json const& attempt) {
    return attempt.value("closed", std::int64_t{0}) == 0;
}

Result<std::unique_ptr<ledger::LedgerReader>> open(std::filesystem::path const& data_dir) {
    if (data_dir.empty()) {
        return fail(Errc::malformed, "say what to read: --data-dir D, or --url URL of a daemon");
    }
    return ledger::LedgerReader::open(data_dir);
}

// Members that are always shown; what has its default is not stored.
json whole(json stored) {
    json attempt = {
        {"id", ""},
        {"operation", ""},
        {"payment_intent", ""},
        {"charge", ""},
        {"connector", ""},
        {"currency", ""},
        {"amount", 0},
        {"approved_amount", 0},
        {"state", ""},
        {"stan", 0},
        {"response_code", ""},
        {"evidence", json::array()},
        {"sends", 0},
        {"created", 0},
        {"closed", 0},
    };
    attempt.update(stored);
    for (json& each : attempt["evidence"]) {
        json evidence = {
            {"source", ""},
            {"outcome", ""},
            {"code", ""},
            {"amount", 0},
            {"time_ms", 0},
            {"reference", ""},
        };
        evidence.update(each);
        each = std::move(evidence);
    }
    return attempt;
}

Result<json> parse(ledger::Document const& document) {
    json attempt = json::parse(document.body.value_or(""), nullptr, false);
    if (attempt.is_discarded() || !attempt.is_object()) {
        return fail(Errc::corrupt, "attempt " + document.key.id + ": not a JSON object");
    }
    attempt["id"] = document.key.id;
    return whole(std::move(attempt));
}

}  // namespace

int attempts_list(std::filesystem::path const& data_dir, WhichAttempts which, Format format) {
    auto reader = open(data_dir);
    if (!reader) {
        return report_error(reader.error());
    }
    // Every attempt that somebody has yet to do something about, final or not.
    std::set<std::pair<std::string, std::string>> waiting;  // owner, id
    auto const note = [&](ledger::Document const& document) -> Result<bool> {
        waiting.emplace(document.key.owner, document.key.id);
        return true;
    };
    if (auto const done = (*reader)->documents().each(kOpenAttempt, note); !done) {
        return report_error(done.error());
    }
    Table table = attempts_table(kStoredAttempt);
    auto const add = [&](ledger::Document const& document) -> Result<bool> {
        FLORIN_TRY(json const attempt, parse(document));
        bool const is_waiting = waiting.contains({document.key.owner, document.key.id});
        // With a key a request is still to be answered, and nothing is owed.
        bool const is_owed_back =
            is_waiting && !is_open(attempt) && attempt.value("idempotency_key", "").empty();
        if (which == WhichAttempts::all ||
            (which == WhichAttempts::not_final ? is_open(attempt) : is_owed_back)) {
            add_attempt(table, kStoredAttempt, attempt);
        }
        return true;
    };
    if (auto const done = (*reader)->documents().each(kAttempt, add); !done) {
        return report_error(done.error());
    }
    table.print(format);
    return which != WhichAttempts::all && !table.empty() ? kFoundSomething : kDone;
}

int attempts_show(
    std::filesystem::path const& data_dir, std::string const& attempt_id, Format format
) {
    auto reader = open(data_dir);
    if (!reader) {
        return report_error(reader.error());
    }
    std::optional<json> found;
    std::string owner;
    auto const look = [&](ledger::Document const& document) -> Result<bool> {
        if (document.key.id != attempt_id) {
            return true;
        }
        FLORIN_TRY(found, parse(document));
        owner = document.key.owner;
        return false;
    };
    if (auto const done = (*reader)->documents().each(kAttempt, look); !done) {
        return report_error(done.error());
    }
    if (!found) {
        return report_error({Errc::not_found, "no attempt " + attempt_id});
    }
    if (format == Format::json) {
        fmt::print("{}\n", found->dump(2));
        return kDone;
    }
    Table fields{{"field", "value"}};
    fields.add({"owner", owner});
    fields.add({"age", age_of(*found)});
    for (auto const& [name, value] : found->items()) {
        if (name != "evidence") {
            fields.add({name, text_of(*found, name.c_str())});
        }
    }
    fields.print(format);
    print_evidence(kStoredAttempt, *found, format);
    return kDone;
}

}  // namespace florin::tools
