// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/gzip.h"

#include <libdeflate.h>

namespace tidegate {

namespace {
constexpr int kLevel = 2;  // line protocol shrinks to about a tenth already here
}

Gzip::Gzip() : compressor_(libdeflate_alloc_compressor(kLevel)) {}
Gzip::~Gzip() {
  libdeflate_free_compressor(compressor_);
}

ByteView Gzip::compress(ByteView plain) {
  if (compressor_ == nullptr) return {};
  out_.resize(libdeflate_gzip_compress_bound(compressor_, plain.size()));
  return {out_.data(),
          libdeflate_gzip_compress(compressor_, plain.data(), plain.size(), out_.data(), out_.size())};
}

}  // namespace tidegate
