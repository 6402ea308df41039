// Pages of lists: cursors, filters, and what is read to fill a page.
//
// A list walks the ids of its objects, newest first; with a link it walks only those that are
// linked from one thing (a customer's charges), so that a filter does not read everything there
// is. A `created` filter starts and ends where ids of that time are. The cursor positions by its id
// alone: an object that is deleted or does not pass the filter does as well.
// Thread rule: any thread.
#pragma once

#include "daemon/api/parameters.h"
#include "daemon/api/service.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace florin::api {

// A page of a list: the cursor parameters, and which ids they select.
struct Page {
    std::size_t limit = 10;
    std::string starting_after, ending_before;
};
Page take_page(Parameters& parameters);

// `created`: an integer, or gt, gte, lt, lte.
struct CreatedFilter {
    std::optional<std::int64_t> least, most;
    bool matches(std::int64_t created) const {
        return (!least || created >= *least) && (!most || created <= *most);
    }
};
CreatedFilter take_created(Parameters& parameters);

// What a list is of.
struct Listing {
    model::Kind kind = model::Kind::payment_intent;
    std::string_view prefix;  // of the ids: "pi"
    std::string url;          // without a query
    // Only what is linked from this.
    struct Link {
        model::Kind kind = model::Kind::customer_intent;
        std::string from;
    };
    std::optional<Link> link;
    // Objects of this kind are removed whole: a cursor may be one that is there no more.
    bool are_removed = false;
    // Only these, in any order.
    std::optional<std::vector<std::string>> ids = std::nullopt;
};

// nullopt: not in this list.
using RenderOne = std::function<std::optional<Json>(ledger::Document const&)>;

// Errors: resource_missing for a cursor that is no object of this kind; where a filter leaves out
// more than one request may look at and there is nothing yet to go on from, that. A page never says
// that it is the last one where it may not be.
ApiResult<flow::Done> list_page(
    Call& call,
    Listing const& listing,
    Page const& page,
    CreatedFilter const& created,
    RenderOne const& render
);

// The same for objects of one type. `render` gives nullopt for what another filter leaves out.
template <class T>
ApiResult<flow::Done> list_of(
    Call& call,
    Listing const& listing,
    Page const& page,
    CreatedFilter const& created,
    std::function<std::optional<Json>(T const&)> const& render
);

// A filter leaves out more than one request may look at.
ApiError too_much_to_read();

// What a filter that nothing can pass answers.
flow::Done empty_list(std::string const& url);

}  // namespace florin::api
