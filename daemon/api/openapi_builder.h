// OpenAPI 3.1 documents from short descriptions, one for each resource, and the rows of a route
// table: what is the same for every operation is written once, and what the table says (paths, path
// parameters, rights) comes from the table.
//
// A description is a JSON object:
//   tag         its name in the document; about: a sentence on it
//   operations  "POST /v1/refunds/:id": {
//                 id, summary, description?,
//                 query?   name -> schema with description; "required": true where it must be there
//                 form?    schema of a body in form encoding     body?  of one in JSON
//                 answer   schema of the answer with status 200
//                 errors?  statuses beside the usual ones        open?  true: needs no key
//                 also?    status -> schema of the answer with it }
//   schemas     name -> JSON Schema
// A schema that is a text is a reference to the one of that name; {"list": X} is a page of X;
// references may be written "#/$defs/X". A parameter in a query or form that is a text is written
// out as the one of that name in x-parameters, members of hashes too. The description named
// `common` is the document's own frame: what it has beside x-… members is copied; x-errors says
// which operations have which errors, by status; x-path describes path parameters; x-parameters
// those that several operations take; x-post has what every POST takes. One named `components` has
// further schemas in $defs. Thread rule: pure functions.
#pragma once

#include "ledger/base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace florin::api {

struct OpenApiDescription {
    std::string_view name, text;
};

// A row of a route table.
struct OpenApiRow {
    std::string method;  // "POST"
    std::string path;    // "/v1/refunds/:id"
    std::string right;   // what a key must be allowed to: "write attempts"; empty: nothing special
};

struct OpenApiDocument {
    std::string text;
    std::vector<std::string> undescribed;  // rows that no description has: "GET /v1/refunds/:id"
    std::vector<std::string> unanswered;   // described operations that no row answers: left out
};

// Errc::malformed names the description and what is wrong with it.
Result<OpenApiDocument> make_openapi(
    std::span<OpenApiDescription const> descriptions, std::span<OpenApiRow const> rows
);

}  // namespace florin::api
