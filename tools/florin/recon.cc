#include "tools/florin/recon.h"

#include "connectors/statements/reader.h"
#include "crypto/hash.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <functional>

namespace florin::tools {
namespace {

namespace statements = connectors::statements;
using nlohmann::ordered_json;
using statements::StatementHead;
using statements::StatementLine;

// Lines in one request to the daemon.
constexpr std::size_t kLinesAtOnce = 200;

ordered_json line_json(StatementLine const& line, std::uint64_t number) {
    return {
        {"number", number},
        {"type", statements::line_type_name(line.type)},
        {"currency", line.amount.currency.alphabetic()},
        {"amount", line.amount.minor},
        {"fee", line.fee_minor},
        {"reference", line.reference},
        {"booking_date", line.booking_date},
        {"value_date", line.value_date},
        {"stan", line.stan},
        {"rrn", line.rrn},
        {"authorization_code", line.authorization_code},
        {"transmission_time", line.transmission_time},
        {"masked_pan", line.masked_pan},
        {"terminal_id", line.terminal_id},
        {"bank_reference", line.bank_reference},
        {"entry_reference", line.entry_reference},
        {"counterparty_name", line.counterparty_name},
        {"counterparty_account", line.counterparty_account},
        {"remittance", line.remittance},
        {"is_reversal", line.is_reversal},
    };
}

ordered_json head_json(StatementHead const& head, std::string const& file, std::uint64_t lines) {
    return {
        {"id", head.id},
        {"level", statements::level_name(head.level)},
        {"account", head.account},
        {"currency", head.currency},
        {"date", head.date},
        {"opening", head.opening ? decimal_text(*head.opening) : ""},
        {"closing", head.closing ? decimal_text(*head.closing) : ""},
        {"file", file},
        {"lines", lines},
    };
}

// The first reading: is the file sound, which statements has it, and what are they by content.
class Survey final : public statements::StatementSink {
public:
    explicit Survey(std::string file) : file_{std::move(file)} {}

    Result<void> begin(StatementHead const&) override {
        lines_ = 0;
        return {};
    }
    Result<void> line(StatementLine line) override {
        ++lines_;
        hash_.update(line_json(line, lines_).dump() + "\n");
        return {};
    }
    Result<void> end(StatementHead const& head) override {
        ordered_json statement = head_json(head, {}, lines_);
        hash_.update(statement.dump());
        statement["file"] = file_;
        statement["digest"] = crypto::hex(hash_.finish());
        statements_.push_back(std::move(statement));
        total_ += lines_;
        return {};
    }

    std::vector<ordered_json> const& found() const { return statements_; }
    std::uint64_t total() const { return total_; }

private:
    std::string file_;
    crypto::Sha256 hash_;
    std::uint64_t lines_ = 0, total_ = 0;
    std::vector<ordered_json> statements_;
};

// The second reading: lines go to the daemon, statement by statement.
class Sender final : public statements::StatementSink {
public:
    Sender(AdminClient& client, std::vector<ordered_json> const& found, std::uint64_t total)
        : client_{client}, found_{found}, total_{total} {}

    Result<void> begin(StatementHead const&) override {
        number_ = 0;
        new_lines_.push_back(0);
        FLORIN_TRY(auto const answer, client_.post("/recon/imports", {{"statement", statement()}}));
        is_complete_ = text_of(answer, "state") == "complete";
        was_complete_.push_back(is_complete_);
        return {};
    }
    Result<void> line(StatementLine line) override {
        ++number_;
        ++done_;
        if (is_complete_) {
            return {};
        }
        waiting_.push_back(line_json(line, number_));
        if (waiting_.size() >= kLinesAtOnce) {
            return send();
        }
        return {};
    }
    Result<void> end(StatementHead const&) override {
        if (!is_complete_) {
            FLORIN_TRY_VOID(send());
            FLORIN_TRY_VOID(client_.post("/recon/completions", {{"statement", statement()}}));
        }
        return {};
    }

    std::int64_t new_lines(std::size_t index) const { return new_lines_[index]; }
    bool was_complete(std::size_t index) const { return was_complete_[index]; }

private:
    ordered_json const& statement() const { return found_[new_lines_.size() - 1]; }
    Result<void> send() {
        if (waiting_.empty()) {
            return {};
        }
        FLORIN_TRY(
            auto const answer,
            client_.post("/recon/lines", {{"statement", statement()}, {"lines", waiting_}})
        );
        new_lines_.back() += answer.value("new_lines", std::int64_t{0});
        waiting_ = ordered_json::array();
        bar_.show("lines", done_, total_);
        return {};
    }

    AdminClient& client_;
    std::vector<ordered_json> const& found_;
    std::uint64_t total_;
    std::uint64_t number_ = 0, done_ = 0;
    bool is_complete_ = false;
    ordered_json waiting_ = ordered_json::array();
    std::vector<std::int64_t> new_lines_;
    std::vector<bool> was_complete_;
    ProgressBar bar_{"import"};
};

Result<void> read_file(std::filesystem::path const& file, statements::StatementSink& sink) {
    std::ifstream in{file, std::ios::binary};
    std::string prefix(statements::kRecogniseBytes, '\0');
    in.read(prefix.data(), static_cast<std::streamsize>(prefix.size()));
    prefix.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad() || (!in && !in.eof())) {
        return fail(Errc::not_found, file.string() + ": cannot read");
    }
    auto const format = statements::recognise(prefix);
    if (!format) {
        return fail(format.error().code, file.string() + ": " + format.error().context);
    }
    in.clear();
    in.seekg(0);
    auto const done = statements::read_statement(in, *format, sink);
    if (!done) {
        return fail(done.error().code, file.string() + ": " + done.error().context);
    }
    return {};
}

void print_import(
    std::vector<ordered_json> const& found, Sender const& sender, std::uint64_t total, Format format
) {
    Table table{
        {"level", "account", "statement", "date", "currency", ">lines", ">new_lines", "state"}
    };
    ordered_json list = ordered_json::array();
    std::int64_t new_lines = 0;
    bool all_known = true;
    for (std::size_t i = 0; i < found.size(); ++i) {
        auto const& each = found[i];
        new_lines += sender.new_lines(i);
        all_known = all_known && sender.was_complete(i);
        table.add(
            {text_of(each, "level"),
             text_of(each, "account"),
             text_of(each, "id"),
             text_of(each, "date"),
             text_of(each, "currency"),
             text_of(each, "lines"),
             std::to_string(sender.new_lines(i)),
             sender.was_complete(i) ? "known already" : "imported"}
        );
        list.push_back(
            {{"level", each["level"]},
             {"account", each["account"]},
             {"id", each["id"]},
             {"date", each["date"]},
             {"currency", each["currency"]},
             {"opening", each["opening"]},
             {"closing", each["closing"]},
             {"lines", each["lines"]},
             {"new_lines", sender.new_lines(i)},
             {"digest", each["digest"]}}
        );
    }
    if (format == Format::json) {
        ordered_json const whole = {
            {"statements", list},
            {"lines", total},
            {"new_lines", new_lines},
            {"already_imported", all_known},
        };
        fmt::print("{}\n", whole.dump(2));
        return;
    }
    table.print(format);
}

}  // namespace

int recon_import(DaemonOptions const& daemon, std::filesystem::path const& file, Format format) {
    Survey survey{file.filename().string()};
    if (auto const read = read_file(file, survey); !read) {
        return report_error(read.error());
    }
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    Sender sender{**client, survey.found(), survey.total()};
    if (auto const sent = read_file(file, sender); !sent) {
        return report_error(sent.error());
    }
    print_import(survey.found(), sender, survey.total(), format);
    return kDone;
}

int recon_run(DaemonOptions const& daemon, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const report = (*client)->run_job("/recon/runs", "reconcile");
    if (!report) {
        return report_error(report.error());
    }
    auto const open = report->value("breaks_open", std::int64_t{0});
    if (format == Format::json) {
        fmt::print("{}\n", report->dump(2));
        return open > 0 ? kFoundSomething : kDone;
    }
    Table levels{{"level", ">lines", ">matched", ">by_reference", ">by_amount_date", ">by_net_sum"}
    };
    for (char const* const level : {"acquirer", "bank"}) {
        auto const& at = report->at(level);
        auto const& by = at.at("matched_by");
        levels.add(
            {level,
             text_of(at, "lines"),
             text_of(at, "matched"),
             text_of(by, "reference"),
             text_of(by, "amount_date"),
             text_of(by, "net_sum")}
        );
    }
    levels.print(format);
    if (format == Format::table) {
        for (auto const& each : report->at("unknowns_resolved")) {
            fmt::print(
                "the {} {} was unknown; the acquirer's line {} shows that it was {}\n",
                text_of(each, "operation"),
                text_of(each, "attempt"),
                text_of(each, "line"),
                text_of(each, "outcome")
            );
        }
        fmt::print("{} open break{}\n", open, open == 1 ? "" : "s");
    }
    return open > 0 ? kFoundSomething : kDone;
}

int recon_breaks(DaemonOptions const& daemon, bool all, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const breaks = (*client)->get(all ? "/recon/breaks/all" : "/recon/breaks");
    if (!breaks) {
        return report_error(breaks.error());
    }
    bool any_open = false;
    Table table{
        {"break",
         "type",
         "state",
         ">age_days",
         "owner",
         "account",
         "currency",
         ">amount",
         "explanation"}
    };
    for (auto const& each : *breaks) {
        any_open = any_open || text_of(each, "state") == "open";
        table.add(
            {text_of(each, "break"),
             text_of(each, "type"),
             text_of(each, "state"),
             text_of(each, "age_days"),
             text_of(each, "owner"),
             text_of(each, "account"),
             text_of(each, "currency"),
             decimal_of(each.value("amount_minor", std::int64_t{0}), text_of(each, "currency")),
             text_of(each, "explanation")}
        );
    }
    if (format == Format::json) {
        fmt::print("{}\n", breaks->dump(2));
    } else {
        table.print(format);
    }
    return any_open ? kFoundSomething : kDone;
}

}  // namespace florin::tools
