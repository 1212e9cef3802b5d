// Problem code → what the person at this page can do: the API's remedies are for programs.
// Codes that are missing here have a remedy that says it.

const LATER = "Try again in a few minutes.";
const ANOTHER = "Choose another photo, or open it in an image editor, save it as JPEG, and try again.";

export const ADVICE = {
  already_protected: "Choose the original: this file is a protected one.",
  bad_dimensions: ANOTHER,
  body_too_large: "Save the photo with a lower quality or fewer pixels, and try again.",
  content_type_mismatch: "The file name ends in the wrong format. Rename the file, and try again.",
  corrupt: ANOTHER,
  empty_body: ANOTHER,
  forbidden: "Enter an API key that allows uploads.",
  foreign_origin: "Open this page at the address of the service itself.",
  internal_error: LATER,
  invalid_option: "Change the label, and try again.",
  malformed_request: "Reload this page, and try again.",
  not_an_image: "Choose a JPEG, PNG, WebP, AVIF, TIFF or GIF file.",
  not_found: "The photo has been deleted. Protect it again.",
  over_quota: "Try again tomorrow, or ask the operator for a larger quota.",
  queue_full: LATER,
  storage_full: "Tell the operator of this service.",
  too_many_pixels: "Scale the photo down, and try again.",
  too_slow: "Try again over a faster connection.",
  truncated: "Copy the file again from your camera or phone: its end is missing.",
  unauthenticated: "Enter your API key below the photo, and try again.",
  unavailable: LATER,
  unknown_host: "Open this page at localhost or at the IP address of the service.",
};
