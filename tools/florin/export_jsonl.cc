#include "tools/florin/export_jsonl.h"

#include "ledger/json/answers.h"

namespace florin::tools {
namespace {

std::string_view state_name(ledger::PendingState state) {
    switch (state) {
        case ledger::PendingState::open: return "open";
        case ledger::PendingState::posted: return "posted";
        case ledger::PendingState::voided: return "voided";
        case ledger::PendingState::expired: return "expired";
    }
    return "";
}

class JsonlWriter final : public ExportWriter {
public:
    JsonlWriter(
        ByteOutput& output, std::array<unsigned char, 16> const& ledger_id, ledger::LedgerKind kind
    )
        : output_{output} {
        ledger::ObjectWriter object{output_.buffer()};
        object.text("type", "ledger");
        object.number("format", 1);
        object.text("ledger_id", to_hex(view(ledger_id)));
        object.text("kind", kind == ledger::LedgerKind::full ? "full" : "kernel_only");
        object.end();
        output_.buffer() += '\n';
    }

    Result<void> account(ItemPlace place, ledger::Account const& account) override {
        ledger::ObjectWriter object = begin("account", place);
        write_fields(object, account);
        return close(object);
    }

    Result<void> transfer(
        ItemPlace place, ledger::Transfer const& transfer, ledger::PendingResolved const* resolved
    ) override {
        ledger::ObjectWriter object = begin("transfer", place);
        write_fields(object, transfer);
        if (resolved != nullptr) {
            ledger::ObjectWriter inner{object.value("resolves")};
            inner.text("state", state_name(resolved->state));
            inner.decimal("amount", resolved->pending_amount);
            inner.decimal("timestamp", resolved->pending_timestamp);
            inner.decimal("expires_at", resolved->expires_at);
            inner.flags("flags", resolved->pending_flags, ledger::kTransferFlags);
            inner.end();
        }
        return close(object);
    }

    Result<void> expiry(ItemPlace place, ledger::PendingExpired const& expired) override {
        ledger::ObjectWriter object = begin("expiry", place);
        object.decimal("pending_id", expired.pending_id);
        object.decimal("debit_account_id", expired.debit_account_id);
        object.decimal("credit_account_id", expired.credit_account_id);
        object.decimal("amount", expired.amount);
        object.decimal("pending_timestamp", expired.pending_timestamp);
        object.decimal("expires_at", expired.expires_at);
        object.flags("flags", expired.pending_flags, ledger::kTransferFlags);
        object.decimal("timestamp", expired.timestamp);
        return close(object);
    }

    Result<void> end(ExportEnd const& end) override {
        ledger::ObjectWriter object{output_.buffer()};
        object.text("type", "end");
        object.decimal("sequence", end.last.sequence);
        object.text("hash", crypto::hex(end.last.hash));
        object.decimal("time", end.time);
        object.decimal("accounts", end.accounts);
        object.decimal("transfers", end.transfers);
        object.decimal("expiries", end.expiries);
        return close(object);
    }

private:
    ledger::ObjectWriter begin(std::string_view type, ItemPlace place) {
        ledger::ObjectWriter object{output_.buffer()};
        object.text("type", type);
        object.decimal("sequence", place.sequence);
        object.number("index", place.index);
        return object;
    }
    Result<void> close(ledger::ObjectWriter& object) {
        object.end();
        output_.buffer() += '\n';
        return output_.write_full();
    }

    ByteOutput& output_;
};

}  // namespace

std::unique_ptr<ExportWriter> make_jsonl_writer(
    ByteOutput& output, std::array<unsigned char, 16> const& ledger_id, ledger::LedgerKind kind
) {
    return std::make_unique<JsonlWriter>(output, ledger_id, kind);
}

}  // namespace florin::tools
