#include "tools/florin/attempts.h"
#include "tools/florin/attempts_tables.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace florin::tools {
namespace {

using json = nlohmann::ordered_json;

int print_resolution(json const& made, Format format) {
    if (format == Format::json) {
        fmt::print("{}\n", made.dump(2));
        return kDone;
    }
    Table table{
        {"resolution",
         "attempt",
         "outcome",
         "state",
         "proposed_by",
         "decided_by",
         "attempt_state",
         ">attempt_age"}
    };
    table.add(
        {text_of(made, "resolution"),
         text_of(made, "attempt"),
         text_of(made, "outcome"),
         text_of(made, "state"),
         text_of(made, "proposed_by"),
         text_of(made, "decided_by"),
         text_of(made, "attempt_state"),
         made.value("attempt_open", false)
             ? age_of({{"created", made.value("attempt_created", std::int64_t{0})}})
             : ""}
    );
    table.print(format);
    return kDone;
}

int ask(DaemonOptions const& daemon, std::string const& path, json const& body, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const made = (*client)->post(path, body);
    return made ? print_resolution(*made, format) : report_error(made.error());
}

void print_parts(json const& attempt, Format format) {
    print_evidence(kAnsweredAttempt, attempt, format);
    Table resolutions{
        {"resolution",
         "outcome",
         "state",
         "proposed_by",
         "proposed",
         "decided_by",
         "reason",
         "decided_reason"}
    };
    for (json const& each : attempt.value("resolutions", json::array())) {
        resolutions.add(
            {text_of(each, "resolution"),
             text_of(each, "outcome"),
             text_of(each, "state"),
             text_of(each, "proposed_by"),
             time_of(each, "proposed"),
             text_of(each, "decided_by"),
             text_of(each, "reason"),
             text_of(each, "decided_reason")}
        );
    }
    fmt::print("\nresolutions\n");
    resolutions.print(format);
}

}  // namespace

int attempts_list(DaemonOptions const& daemon, WhichAttempts which, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    Table table = attempts_table(kAnsweredAttempt);
    std::string const filter = which == WhichAttempts::all         ? ""
                               : which == WhichAttempts::not_final ? "&state=open"
                                                                   : "&state=owed_back";
    std::string after;
    for (bool more = true; more;) {
        std::string const from = after.empty() ? "" : "&starting_after=" + after;
        auto const page = (*client)->get("/attempts?limit=100" + filter + from);
        if (!page) {
            return report_error(page.error());
        }
        for (json const& attempt : page->value("attempts", json::array())) {
            add_attempt(table, kAnsweredAttempt, attempt);
        }
        more = page->value("has_more", false);
        after = more ? text_of(*page, "next") : "";
    }
    table.print(format);
    return which != WhichAttempts::all && !table.empty() ? kFoundSomething : kDone;
}

int attempts_show(DaemonOptions const& daemon, std::string const& attempt_id, Format format) {
    auto client = AdminClient::connect(daemon);
    if (!client) {
        return report_error(client.error());
    }
    auto const attempt = (*client)->get("/attempts/" + attempt_id);
    if (!attempt) {
        return report_error(attempt.error());
    }
    if (format == Format::json) {
        fmt::print("{}\n", attempt->dump(2));
        return kDone;
    }
    Table fields{{"field", "value"}};
    fields.add({"age", age_of(*attempt)});
    for (auto const& [name, value] : attempt->items()) {
        if (name == "may_become") {
            fields.add({name, value.dump()});
        } else if (!value.is_structured()) {
            fields.add({name, text_of(*attempt, name.c_str())});
        }
    }
    fields.print(format);
    print_parts(*attempt, format);
    return kDone;
}

int attempts_resolve(
    DaemonOptions const& daemon,
    std::string const& attempt_id,
    std::string const& outcome,
    std::string const& reason,
    Format format
) {
    json const body = {{"outcome", outcome}, {"reason", reason}};
    return ask(daemon, "/attempts/" + attempt_id + "/resolutions", body, format);
}

int attempts_decide(DaemonOptions const& daemon, Decision const& decision, Format format) {
    std::string const path = "/attempts/" + decision.attempt + "/resolutions/" +
                             decision.resolution + "/" + decision.verb;
    json body = json::object();
    if (!decision.reason.empty()) {
        body["reason"] = decision.reason;
    }
    return ask(daemon, path, body, format);
}

}  // namespace florin::tools
