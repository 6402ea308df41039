#include "ledger/effects.h"

#include "ledger/base/check.h"

#include <cstring>

namespace florin::ledger {
namespace {

// Type numbers as stored.
enum class Type : std::uint8_t {
    genesis = 1,
    clock_advanced = 2,
    account_created = 3,
    transfer_ids_used = 4,
    pending_resolved = 5,
    pending_expired = 6,
    document_written = 7,
    document_removed = 8,
    timer_set = 9,
    timer_cleared = 10,
    event_recorded = 11,
    counter_taken = 12,
    counter_released = 13,
    document_event_recorded = 14,
};

// Alternatives of Effect stand in the order of their numbers.
template <class E, std::size_t I = 0>
constexpr Type type_of() {
    if constexpr (std::is_same_v<E, std::variant_alternative_t<I, Effect>>) {
        return static_cast<Type>(I + 1);
    } else {
        return type_of<E, I + 1>();
    }
}
static_assert(type_of<DocumentEventRecorded>() == Type::document_event_recorded);

// One body function per effect serves both directions: `io` writes or reads each field in turn.
class Writer {
public:
    explicit Writer(std::string& out) : out_{out} {}
    template <class Integer>
    Result<void> number(Integer const& value) {
        out_.little(value);
        return {};
    }
    Result<void> text(std::string const& value) {
        out_.sized(value);
        return {};
    }
    Result<void> account(Account const& value) {
        out_.raw({reinterpret_cast<char const*>(&value), sizeof value});
        return {};
    }
    Result<void> digest(crypto::Digest const& value) {
        out_.raw(view(value));
        return {};
    }

private:
    ByteWriter out_;
};

class Reader {
public:
    explicit Reader(ByteReader& in) : in_{in} {}
    template <class Integer>
    Result<void> number(Integer& value) {
        FLORIN_TRY(value, in_.little<Integer>());
        return {};
    }
    Result<void> text(std::string& value) {
        FLORIN_TRY(value, in_.sized());
        return {};
    }
    Result<void> account(Account& value) {
        FLORIN_TRY(ByteView const raw, in_.take(sizeof value));
        std::memcpy(static_cast<void*>(&value), raw.data(), sizeof value);
        return {};
    }
    Result<void> digest(crypto::Digest& value) {
        FLORIN_TRY(ByteView const raw, in_.take(value.size()));
        std::memcpy(value.data(), raw.data(), value.size());
        return {};
    }

private:
    ByteReader& in_;
};

template <class Io, class Reference>
Result<void> payload(Io& io, Reference& reference) {
    FLORIN_TRY_VOID(io.number(reference.index));
    FLORIN_TRY_VOID(io.number(reference.length));
    return io.digest(reference.digest);
}

template <class Io, class Key>
Result<void> document_key(Io& io, Key& key) {
    FLORIN_TRY_VOID(io.number(key.kind));
    FLORIN_TRY_VOID(io.text(key.owner));
    return io.text(key.id);
}

template <class Io, class Timer>
Result<void> timer(Io& io, Timer& value) {
    FLORIN_TRY_VOID(io.number(value.due_ns));
    FLORIN_TRY_VOID(io.number(value.kind));
    return io.text(value.key);
}

template <class Io, class E>
Result<void> fields(Io& io, E& e) {
    using Plain = std::remove_const_t<E>;
    if constexpr (std::is_same_v<Plain, AccountCreated>) {
        return io.account(e.account);
    } else if constexpr (std::is_same_v<Plain, PendingResolved>) {
        FLORIN_TRY_VOID(io.number(e.index));
        FLORIN_TRY_VOID(io.number(e.state));
        FLORIN_TRY_VOID(io.number(e.pending_flags));
        FLORIN_TRY_VOID(io.number(e.pending_timestamp));
        FLORIN_TRY_VOID(io.number(e.expires_at));
        return io.number(e.pending_amount);
    } else if constexpr (std::is_same_v<Plain, PendingExpired>) {
        FLORIN_TRY_VOID(io.number(e.pending_id));
        FLORIN_TRY_VOID(io.number(e.debit_account_id));
        FLORIN_TRY_VOID(io.number(e.credit_account_id));
        FLORIN_TRY_VOID(io.number(e.amount));
        FLORIN_TRY_VOID(io.number(e.pending_timestamp));
        FLORIN_TRY_VOID(io.number(e.expires_at));
        FLORIN_TRY_VOID(io.number(e.timestamp));
        FLORIN_TRY_VOID(io.number(e.transfers_before));
        return io.number(e.pending_flags);
    } else if constexpr (std::is_same_v<Plain, DocumentRemoved>) {
        FLORIN_TRY_VOID(document_key(io, e.key));
        return io.number(e.version);
    } else if constexpr (std::is_same_v<Plain, TimerSet> || std::is_same_v<Plain, TimerCleared>) {
        return timer(io, e);
    } else if constexpr (std::is_same_v<Plain, EventRecorded>) {
        FLORIN_TRY_VOID(io.text(e.owner));
        FLORIN_TRY_VOID(io.text(e.id));
        FLORIN_TRY_VOID(io.text(e.type));
        return payload(io, e.body);
    } else if constexpr (std::is_same_v<Plain, DocumentEventRecorded>) {
        FLORIN_TRY_VOID(fields(io, e.event));
        FLORIN_TRY_VOID(io.number(e.kind));
        return io.number(e.document);
    } else if constexpr (std::is_same_v<Plain, CounterTaken>) {
        FLORIN_TRY_VOID(io.text(e.counter));
        FLORIN_TRY_VOID(io.number(e.value));
        return io.text(e.holder);
    } else if constexpr (std::is_same_v<Plain, CounterReleased>) {
        FLORIN_TRY_VOID(io.text(e.counter));
        return io.number(e.value);
    } else if constexpr (std::is_same_v<Plain, Genesis>) {
        return io.number(e.kind);
    } else {
        static_assert(std::is_same_v<Plain, ClockAdvanced>);
        return {};
    }
}

// The two whose shape depends on what is in them.
void write_special(ByteWriter& out, Writer& io, TransferIdsUsed const& used) {
    static_cast<void>(io);
    out.little(static_cast<std::uint32_t>(used.ids.size()));
    for (u128 const id : used.ids) {
        out.little(id);
    }
}
void write_special(ByteWriter& out, Writer& io, DocumentWritten const& written) {
    static_cast<void>(document_key(io, written.key));
    out.little(written.version);
    if (auto const* body = std::get_if<std::string>(&written.body)) {
        out.little(std::uint8_t{0});
        out.sized(*body);
    } else {
        out.little(std::uint8_t{1});
        static_cast<void>(payload(io, std::get<PayloadReference>(written.body)));
    }
}

Result<Effect> read_ids(ByteReader& in) {
    TransferIdsUsed used;
    FLORIN_TRY(auto const count, in.little<std::uint32_t>());
    if (count > in.left() / sizeof(u128)) {
        return fail(Errc::malformed, "effects: more used-up ids than bytes");
    }
    used.ids.resize(count);
    for (u128& id : used.ids) {
        FLORIN_TRY(id, in.little<u128>());
    }
    return used;
}

Result<Effect> read_document(ByteReader& in) {
    DocumentWritten written;
    Reader io{in};
    FLORIN_TRY_VOID(document_key(io, written.key));
    FLORIN_TRY_VOID(io.number(written.version));
    FLORIN_TRY(auto const where, in.little<std::uint8_t>());
    if (where == 0) {
        FLORIN_TRY(ByteView const body, in.sized());
        written.body = std::string{body};
        return written;
    }
    if (where != 1) {
        return fail(Errc::malformed, "effects: a document body neither inside nor beside");
    }
    PayloadReference reference;
    FLORIN_TRY_VOID(payload(io, reference));
    written.body = reference;
    return written;
}

template <class E>
Result<Effect> read(ByteReader& in) {
    E effect{};
    Reader io{in};
    FLORIN_TRY_VOID(fields(io, effect));
    return effect;
}

Result<Effect> read_body(Type type, ByteReader& in) {
    switch (type) {
        case Type::genesis: return read<Genesis>(in);
        case Type::clock_advanced: return read<ClockAdvanced>(in);
        case Type::account_created: return read<AccountCreated>(in);
        case Type::transfer_ids_used: return read_ids(in);
        case Type::pending_resolved: return read<PendingResolved>(in);
        case Type::pending_expired: return read<PendingExpired>(in);
        case Type::document_written: return read_document(in);
        case Type::document_removed: return read<DocumentRemoved>(in);
        case Type::timer_set: return read<TimerSet>(in);
        case Type::timer_cleared: return read<TimerCleared>(in);
        case Type::event_recorded: return read<EventRecorded>(in);
        case Type::counter_taken: return read<CounterTaken>(in);
        case Type::counter_released: return read<CounterReleased>(in);
        case Type::document_event_recorded: return read<DocumentEventRecorded>(in);
    }
    return fail(
        Errc::unsupported,
        "effects: type " + std::to_string(static_cast<int>(type)) + " is of a newer version"
    );
}

bool is_sound(Effect const& effect) {
    if (auto const* resolved = std::get_if<PendingResolved>(&effect)) {
        return resolved->state == PendingState::posted || resolved->state == PendingState::voided;
    }
    if (auto const* genesis = std::get_if<Genesis>(&effect)) {
        return genesis->kind == LedgerKind::full || genesis->kind == LedgerKind::kernel_only;
    }
    return true;
}

}  // namespace

template <class E>
void encode_effect(std::string& out, E const& effect) {
    std::size_t const start = out.size();
    ByteWriter writer{out};
    writer.little(static_cast<std::uint8_t>(type_of<E>()));
    writer.little(std::uint8_t{0});
    writer.little(std::uint16_t{0});
    writer.little(std::uint32_t{0});
    Writer io{out};
    if constexpr (requires { write_special(writer, io, effect); }) {
        write_special(writer, io, effect);
    } else {
        static_cast<void>(fields(io, effect));  // writing cannot fail
    }
    auto const length = static_cast<std::uint32_t>(out.size() - start - 8);
    std::memcpy(out.data() + start + 4, &length, sizeof length);
}

void encode_effect(std::string& out, Effect const& effect) {
    std::visit([&](auto const& e) { encode_effect(out, e); }, effect);
}

template void encode_effect(std::string& out, Genesis const& effect);
template void encode_effect(std::string& out, ClockAdvanced const& effect);
template void encode_effect(std::string& out, AccountCreated const& effect);
template void encode_effect(std::string& out, TransferIdsUsed const& effect);
template void encode_effect(std::string& out, PendingResolved const& effect);
template void encode_effect(std::string& out, PendingExpired const& effect);
template void encode_effect(std::string& out, DocumentWritten const& effect);
template void encode_effect(std::string& out, DocumentRemoved const& effect);
template void encode_effect(std::string& out, TimerSet const& effect);
template void encode_effect(std::string& out, TimerCleared const& effect);
template void encode_effect(std::string& out, EventRecorded const& effect);
template void encode_effect(std::string& out, DocumentEventRecorded const& effect);
template void encode_effect(std::string& out, CounterTaken const& effect);
template void encode_effect(std::string& out, CounterReleased const& effect);

Result<Effect> EffectReader::next() {
    std::size_t const at = reader_.position();
    FLORIN_TRY(auto const type, reader_.little<std::uint8_t>());
    FLORIN_TRY(auto const zero, reader_.little<std::uint8_t>());
    FLORIN_TRY(auto const zeros, reader_.little<std::uint16_t>());
    FLORIN_TRY(auto const length, reader_.little<std::uint32_t>());
    if (zero != 0 || zeros != 0) {
        return fail(Errc::malformed, "effects: reserved bytes at byte " + std::to_string(at));
    }
    FLORIN_TRY(ByteView const body, reader_.take(length));
    ByteReader in{body, "effects"};
    FLORIN_TRY(Effect effect, read_body(static_cast<Type>(type), in));
    if (!in.at_end() || !is_sound(effect)) {
        return fail(
            Errc::malformed,
            "effects: body of type " + std::to_string(type) + " at byte " + std::to_string(at)
        );
    }
    return effect;
}

}  // namespace florin::ledger
