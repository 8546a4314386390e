// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. TG_TRY unwraps one or returns the error to the caller.
#pragma once

#include <cassert>
#include <utility>
#include <variant>

#include "base/error.h"

namespace tidegate {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& value() & { return assert(ok()), *std::get_if<0>(&state_); }
  const T& value() const& { return assert(ok()), *std::get_if<0>(&state_); }
  T&& value() && { return assert(ok()), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Precondition: !ok().
  Error& error() & { return assert(!ok()), *std::get_if<1>(&state_); }
  const Error& error() const& { return assert(!ok()), *std::get_if<1>(&state_); }
  Error&& error() && { return assert(!ok()), std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const { assert(ok()); }
  Error& error() & { return assert(!ok()), *error_; }
  const Error& error() const& { return assert(!ok()), *error_; }
  Error&& error() && { return assert(!ok()), std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

inline Error make_error(ErrorCode code, std::string detail) {
  return Error(code, std::move(detail));
}

#define TG_CONCAT_INNER(a, b) a##b
#define TG_CONCAT(a, b) TG_CONCAT_INNER(a, b)

// TG_TRY(auto x, f());  ->  x is the value, or the function returns the error.
#define TG_TRY(declaration, expression)                                                                 \
  auto TG_CONCAT(tg_result_, __LINE__) = (expression);                                                  \
  if (!TG_CONCAT(tg_result_, __LINE__).ok()) return std::move(TG_CONCAT(tg_result_, __LINE__)).error(); \
  declaration = std::move(TG_CONCAT(tg_result_, __LINE__)).value()

// TG_CHECK(f());  for Result<void>.
#define TG_CHECK(expression)                                                                 \
  do {                                                                                       \
    if (auto tg_status = (expression); !tg_status.ok()) return std::move(tg_status).error(); \
  } while (false)

}  // namespace tidegate
