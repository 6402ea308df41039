#include "tools/florin/ledger_head.h"

#include "ledger/base/calendar.h"
#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/snapshot.h"

#include <fmt/format.h>

#include <fstream>

namespace florin::tools {
namespace {

constexpr std::size_t kFileBytesMax = 64U << 10U;

// The journal alone: a head needs no views.
struct OpenJournal {
    ledger::ReadableDirectory readable;  // goes last
    std::unique_ptr<ledger::LocalJournal> journal;
};
Result<OpenJournal> open_journal(std::filesystem::path const& data_dir) {
    FLORIN_TRY(auto readable, ledger::ReadableDirectory::of(data_dir));
    FLORIN_TRY(
        ledger::DataDirectory const directory,
        ledger::DataDirectory::open(
            readable.path(), ledger::DataDirectory::Access::read_only, false
        )
    );
    FLORIN_TRY(
        auto journal,
        ledger::LocalJournal::open(
            {.directory = directory.log(), .witness = directory.witness(), .read_only = true}
        )
    );
    return OpenJournal{std::move(readable), std::move(journal)};
}

Result<std::string> read_file(std::filesystem::path const& file) {
    std::ifstream in{file, std::ios::binary};
    std::string text(kFileBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.eof()) {
        return in ? fail(Errc::malformed, file.string() + ": is longer than 64 KiB")
                  : fail(Errc::io, file.string() + ": cannot be read");
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

Result<std::string> signed_json(
    ledger::PinnedHead const& head, std::filesystem::path const& key_file
) {
    FLORIN_TRY(crypto::SigningKey const key, crypto::SigningKey::load(key_file));
    FLORIN_TRY(SignedHead const signed_head, sign_head(head, key));
    return to_json(signed_head);
}

// What is not right with a pinned head, for people; empty: all is.
std::string objection(SignedHead const& pinned, ledger::PinnedHeadCheck const& check) {
    auto const& position = pinned.head.position;
    std::string const record = "record " + std::to_string(position.sequence);
    switch (check.verdict) {
        case ledger::PinnedHeadVerdict::is_head:
        case ledger::PinnedHeadVerdict::is_ancestor: return {};
        case ledger::PinnedHeadVerdict::other_ledger:
            return "the pinned head is of another ledger: of " +
                   to_hex(view(pinned.head.ledger_id)) + ", and this one is " +
                   to_hex(view(check.ledger_id));
        case ledger::PinnedHeadVerdict::journal_is_cut:
            return "history was cut: the pinned head is " + record +
                   ", and the journal ends at record " + std::to_string(check.head.sequence);
        case ledger::PinnedHeadVerdict::is_rewritten:
            return "history was rewritten: the hash of " + record + " is " +
                   crypto::hex(check.found.hash) + ", and the pinned head says " +
                   crypto::hex(position.hash);
        case ledger::PinnedHeadVerdict::time_differs:
            return "the pinned head says that " + record + " is of " +
                   std::to_string(pinned.head.time) + " ns, and it is of " +
                   std::to_string(check.time) + " ns";
    }
    return "not decided";
}

}  // namespace

int ledger_head(
    std::filesystem::path const& data_dir, std::filesystem::path const& key_file, Format format
) {
    auto const opened = open_journal(data_dir);
    if (!opened) {
        return report_error(opened.error());
    }
    auto const head = ledger::current_head(*opened->journal);
    if (!head) {
        return report_error(head.error());
    }
    if (!key_file.empty()) {
        auto const json = signed_json(*head, key_file);
        if (!json) {
            return report_error(json.error());
        }
        fmt::print("{}\n", *json);
        return kDone;
    }
    Table table{{"what", "value"}};
    table.add({"ledger", to_hex(view(head->ledger_id))});
    table.add({"head", std::to_string(head->position.sequence)});
    table.add({"hash", crypto::hex(head->position.hash)});
    table.add({"time", std::to_string(head->time)});
    table.add({"time_utc", utc_moment(head->time)});
    table.print(format);
    return kDone;
}

Result<PinnedHeadReport> check_pinned_head_files(
    std::filesystem::path const& data_dir, PinnedHeadFiles const& files
) {
    std::string const name = files.head.string();
    FLORIN_TRY(std::string const text, read_file(files.head));
    FLORIN_TRY(SignedHead const pinned, parse_signed_head(text, name));
    if (!files.public_key.empty()) {
        FLORIN_TRY(std::string const pem, read_file(files.public_key));
        FLORIN_TRY(
            auto const expected, crypto::PublicKey::from_pem(pem, files.public_key.string())
        );
        if (expected != pinned.public_key) {
            return fail(
                Errc::corrupt,
                name + ": is signed by another key than that of " + files.public_key.string()
            );
        }
    }
    if (!pinned.is_signed()) {
        return fail(Errc::corrupt, name + ": the signature is not one of this head by that key");
    }
    FLORIN_TRY(OpenJournal const opened, open_journal(data_dir));
    FLORIN_TRY(auto const check, ledger::check_pinned_head(*opened.journal, pinned.head));
    if (std::string const what = objection(pinned, check); !what.empty()) {
        return fail(Errc::corrupt, name + ": " + what);
    }
    return PinnedHeadReport{pinned, check};
}

}  // namespace florin::tools
