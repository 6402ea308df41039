#include "daemon/api/list.h"

#include <algorithm>

namespace florin::api {
namespace {

using flow::Done;

// Documents that one request reads at most.
constexpr std::size_t kScanMax = 100'000;
constexpr std::size_t kBatchMax = 500;
// How far the time in an id and `created` may be apart: a clock that was set back in between.
constexpr std::int64_t kClockSlackSeconds = 600;

Json list_json(std::vector<Json> const& found, bool has_more, std::string const& url) {
    Json data = Json::array();
    for (Json const& each : found) {
        data.push_back(each);
    }
    return {{"object", "list"}, {"data", data}, {"has_more", has_more}, {"url", url}};
}

// Goes through the objects of a list in one direction.
class Walk {
public:
    Walk(Call& call, Listing const& listing, bool newest_first, std::string after)
        : call_{call}, listing_{listing}, newest_first_{newest_first}, after_{std::move(after)} {}

    // The next objects; fewer than `limit` (none, too) at the end.
    Result<std::vector<ledger::Document>> next(std::size_t limit) {
        std::vector<ledger::Document> found;
        if (listing_.ids) {
            at_end_ = true;
            return read_named();
        }
        if (!listing_.link) {
            FLORIN_TRY(found, read(listing_.kind, after_, limit));
            at_end_ = found.size() < limit;
            if (!found.empty()) {
                after_ = found.back().key.id;
            }
            return found;
        }
        std::string const prefix = model::link_id(listing_.link->from, "");
        // '0' follows '/': the place behind all links of this one.
        std::string const start = after_.empty() ? listing_.link->from + "0" : prefix + after_;
        FLORIN_TRY(auto const links, read(listing_.link->kind, start, limit));
        at_end_ = links.size() < limit;
        for (ledger::Document const& link : links) {
            if (!link.key.id.starts_with(prefix)) {
                at_end_ = true;
                break;
            }
            after_ = link.key.id.substr(prefix.size());
            auto const key = model::key_of(listing_.kind, call_.owner(), after_);
            FLORIN_TRY(auto document, call_.documents().get(key));
            if (document) {
                found.push_back(std::move(*document));
            }
        }
        return found;
    }
    bool at_end() const { return at_end_; }

private:
    // The few that the list names, from the cursor on.
    Result<std::vector<ledger::Document>> read_named() const {
        std::vector<std::string> ids = *listing_.ids;
        std::ranges::sort(ids);
        if (newest_first_) {
            std::ranges::reverse(ids);
        }
        std::vector<ledger::Document> found;
        for (std::string const& id : ids) {
            if (after_.empty() || (newest_first_ ? id < after_ : id > after_)) {
                auto const key = model::key_of(listing_.kind, call_.owner(), id);
                FLORIN_TRY(auto document, call_.documents().get(key));
                if (document) {
                    found.push_back(std::move(*document));
                }
            }
        }
        return found;
    }
    Result<std::vector<ledger::Document>> read(
        model::Kind kind, std::string const& after, std::size_t limit
    ) const {
        return call_.documents().list(
            {.kind = static_cast<std::uint16_t>(kind),
             .owner = call_.owner(),
             .after = after,
             .newest_first = newest_first_,
             .limit = limit}
        );
    }

    Call& call_;
    Listing const& listing_;
    bool newest_first_;
    std::string after_;
    bool at_end_ = false;
};

// Ids of this form are made here only; one of later than now was not.
bool was_given_out(Call const& call, std::string_view prefix, std::string const& id) {
    auto const time_ns = model::id_time_ns(id);
    return time_ns && *time_ns <= call.services.ids.now_ns() &&
           id.starts_with(std::string{prefix} + "_");
}

// Where ids of the wanted time begin and end; empty: no bound.
struct Bounds {
    std::string lowest, highest;
};
Bounds bounds_of(Listing const& listing, CreatedFilter const& created) {
    Bounds bounds;
    if (created.least) {
        bounds.lowest = model::id_bound(listing.prefix, *created.least - kClockSlackSeconds);
    }
    if (created.most) {
        bounds.highest = model::id_bound(listing.prefix, *created.most + 1 + kClockSlackSeconds);
    }
    return bounds;
}

}  // namespace

Page take_page(Parameters& parameters) {
    constexpr std::int64_t kLimitMax = 100;
    Page page;
    page.limit =
        static_cast<std::size_t>(parameters.take_integer("limit", 1, kLimitMax).value_or(10));
    page.starting_after = parameters.take_string("starting_after").value_or("");
    page.ending_before = parameters.take_string("ending_before").value_or("");
    if (!page.starting_after.empty() && !page.ending_before.empty()) {
        parameters.refuse(bad_parameter(
            "parameters_exclusive",
            "ending_before",
            "Received both starting_after and ending_before; only one may be used."
        ));
    }
    return page;
}

CreatedFilter take_created(Parameters& parameters) {
    CreatedFilter filter;
    constexpr std::int64_t kMost = 1'000'000'000'000;
    if (!parameters.has("created")) {
        return filter;
    }
    // A hash of bounds, or one second.
    if (parameters.is_hash("created")) {
        Parameters* const bounds = parameters.take_hash("created");
        filter.least = bounds->take_integer("gte", 0, kMost);
        filter.most = bounds->take_integer("lte", 0, kMost);
        if (auto const above = bounds->take_integer("gt", 0, kMost)) {
            filter.least = std::max(filter.least.value_or(0), *above + 1);
        }
        if (auto const below = bounds->take_integer("lt", 0, kMost)) {
            filter.most = std::min(filter.most.value_or(kMost), *below - 1);
        }
        return filter;
    }
    filter.least = filter.most = parameters.take_integer("created", 0, kMost);
    return filter;
}

ApiResult<Done> list_page(
    Call& call,
    Listing const& listing,
    Page const& page,
    CreatedFilter const& created,
    RenderOne const& render
) {
    bool const backwards = !page.ending_before.empty();
    std::string start = backwards ? page.ending_before : page.starting_after;
    if (!start.empty()) {
        auto const known = call.documents().get(model::key_of(listing.kind, call.owner(), start));
        if (!known) {
            return std::unexpected{internal_error(known.error().context)};
        }
        bool const was_there = listing.are_removed && was_given_out(call, listing.prefix, start);
        if (!*known && !was_there) {
            return std::unexpected{
                missing_resource("object", start, backwards ? "ending_before" : "starting_after")
            };
        }
    }
    Bounds const bounds = bounds_of(listing, created);
    if (backwards) {
        start = std::max(start, bounds.lowest);
    } else if (!bounds.highest.empty() && (start.empty() || bounds.highest < start)) {
        start = bounds.highest;
    }
    auto const is_beyond = [&](std::string const& id) {
        return backwards ? !bounds.highest.empty() && id > bounds.highest : id < bounds.lowest;
    };
    Walk walk{call, listing, !backwards, start};
    std::vector<Json> found;
    bool has_more = false;
    bool is_over = false;
    std::size_t scanned = 0;
    for (std::size_t batch = page.limit + 1; !is_over && scanned < kScanMax;) {
        auto const documents = walk.next(batch);
        if (!documents) {
            return std::unexpected{internal_error(documents.error().context)};
        }
        is_over = walk.at_end();
        for (ledger::Document const& document : *documents) {
            if (is_beyond(document.key.id)) {
                is_over = true;
                break;
            }
            auto json = render(document);
            if (!json) {
                continue;
            }
            if (found.size() == page.limit) {
                has_more = is_over = true;
                break;
            }
            found.push_back(std::move(*json));
        }
        scanned += batch;
        batch = std::min(batch * 2, kBatchMax);
    }
    if (!is_over && found.empty()) {
        return std::unexpected{too_much_to_read()};
    }
    has_more = has_more || !is_over;
    if (backwards) {
        std::ranges::reverse(found);
    }
    return Done{200, list_json(found, has_more, listing.url).text()};
}

template <class T>
ApiResult<Done> list_of(
    Call& call,
    Listing const& listing,
    Page const& page,
    CreatedFilter const& created,
    std::function<std::optional<Json>(T const&)> const& render
) {
    auto const render_one = [&](ledger::Document const& document) -> std::optional<Json> {
        auto const object = model::from_text<T>(document.body.value_or(""));
        if (!object || !created.matches(object->created)) {
            return std::nullopt;
        }
        return render(*object);
    };
    return list_page(call, listing, page, created, render_one);
}

ApiError too_much_to_read() {
    return bad_parameter(
        "",
        "",
        "Too many objects would have to be looked at to find one that passes these filters. Bound "
        "the list by created, or name the customer, payment or charge it is about."
    );
}

Done empty_list(std::string const& url) {
    return {200, list_json({}, false, url).text()};
}

#define FLORIN_LIST(T)                                             \
    template ApiResult<Done> list_of(                              \
        Call&,                                                     \
        Listing const&,                                            \
        Page const&,                                               \
        CreatedFilter const&,                                      \
        std::function<std::optional<Json>(T const&)> const& render \
    );
FLORIN_LIST(model::PaymentIntent)
FLORIN_LIST(model::Charge)
FLORIN_LIST(model::Refund)
FLORIN_LIST(model::Customer)
FLORIN_LIST(model::PaymentMethod)

}  // namespace florin::api
