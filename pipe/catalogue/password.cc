// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <vector>

namespace tidegate {
namespace {

constexpr std::size_t kSaltSize = 16, kKeySize = 32, kMaxPassword = 1024;
constexpr std::uint64_t kMaxMemory = 256 << 20;

struct Form {
  unsigned log_n = 15, r = 8, p = 3;
  Bytes salt, key;
};

Result<Bytes> derive(const Form& form, std::string_view password) {
  Bytes key(kKeySize);
  // OpenSSL counts its own small needs too: the limit leaves room above what the parameters ask for.
  if (EVP_PBE_scrypt(password.data(), password.size(), form.salt.data(), form.salt.size(),
                     std::uint64_t{1} << form.log_n, form.r, form.p, kMaxMemory + (1 << 20), key.data(),
                     key.size()) != 1)
    return make_error(ErrorCode::kInternal, "OpenSSL cannot derive a key by scrypt (out of memory?)");
  return key;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find('$');
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool read_number(std::string_view text, unsigned max, unsigned* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= 1 && *out <= max;
}

Result<Form> parse(std::string_view stored) {
  const auto parts = split(stored);
  Form form;
  const bool readable = parts.size() == 6 && parts[0] == "scrypt" && read_number(parts[1], 20, &form.log_n) &&
                        read_number(parts[2], 32, &form.r) && read_number(parts[3], 16, &form.p) &&
                        from_hex(parts[4], &form.salt) && from_hex(parts[5], &form.key) &&
                        form.salt.size() == kSaltSize && form.key.size() == kKeySize;
  if (!readable)
    return make_error(ErrorCode::kDamaged, "a stored password hash is unreadable; set the password again");
  if ((std::uint64_t{128} * form.r << form.log_n) > kMaxMemory)
    return make_error(ErrorCode::kDamaged, "a stored password hash asks for more than 256 MiB");
  return form;
}

}  // namespace

Result<std::string> hash_password(Random& random, std::string_view password) {
  if (password.empty()) return make_error(ErrorCode::kInvalidArgument, "the password is empty");
  if (password.size() > kMaxPassword)
    return make_error(ErrorCode::kInvalidArgument, "the password has more than 1024 bytes");
  Form form;
  form.salt.resize(kSaltSize);
  random.fill(form.salt);
  TG_TRY(form.key, derive(form, password));
  return "scrypt$" + std::to_string(form.log_n) + "$" + std::to_string(form.r) + "$" +
         std::to_string(form.p) + "$" + to_hex(form.salt) + "$" + to_hex(form.key);
}

Result<bool> verify_password(std::string_view stored, std::string_view password) {
  if (stored.empty() || password.size() > kMaxPassword) return false;
  TG_TRY(const Form form, parse(stored));
  TG_TRY(const Bytes key, derive(form, password));
  return CRYPTO_memcmp(key.data(), form.key.data(), kKeySize) == 0;
}

}  // namespace tidegate
