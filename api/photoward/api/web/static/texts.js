// All words of the page. Another language: one more block, and its name in LANGUAGES.

export const LANGUAGES = { en: "English", de: "Deutsch" };

const EN = {
  tagline: "Adds noise to photos, so that a neural network that is trained on them learns less from them.",
  drop: "Drop photos or a folder here",
  dropMore: "paste them, or",
  chooseFiles: "Choose photos",
  chooseFolder: "Choose a folder",
  accepts: "{kinds}; up to {size} and {megapixels} megapixels each",
  keptDays: "Photos and results are deleted from the service after {days} days.",
  keptHours: "Photos and results are deleted from the service after {hours} hours.",
  levels: "How strong may the noise be?",
  noLevel: "No level stops a trainer who trains against noise of this kind (adversarially).",
  subtle: "Subtle", subtleText: "The smallest change and the weakest protection.",
  standard: "Standard", standardText: "Not visible; protects little.",
  strong: "Strong", strongText: "Visible as fine grain.",
  maximum: "Maximum", maximumText: "Plainly visible, as coloured clouds in skies and skin.",
  hosted: "Hosted", hostedText: "Like Strong, for photos that a site will compress again. Takes longer.",
  examples: "Three photos at this level, details at 100 %",
  exampleOf: "{photo}, protected at the level {level}",
  astronaut: "A portrait", rocket: "A rocket before the sky", coffee: "A cup of coffee",
  label: "What do they show?", optional: "(optional)",
  labelHint: "Photos with the same label are protected together. Without one the service predicts it.",
  labelExample: "for example: my cat",
  more: "More options",
  format: "File format", sameFormat: "As the original",
  sizes: "Longer sides in pixels", sizesHint: "With commas; each photo is shrunk, then protected. Empty: its own size.",
  keep: "Keep from the camera’s notes (EXIF)", keepDate: "Date", keepCamera: "Camera",
  keepPosition: "Position",
  method: "Method", defaultMethod: "Default",
  key: "API key", keyHint: "This service lets nobody in without one. It is kept until this tab is closed.",
  keyWrong: "This key is not valid here.", keyUse: "Use this key",
  protectNone: "Protect", protectOne: "Protect the photo", protectMany: "Protect {count} photos",
  chosen: "Chosen", remove: "Remove", removeAll: "Remove all", removeNamed: "Remove {name}",
  labelOf: "Label of {name}",
  groupOne: "1 photo", groupMany: "{count} photos",
  ready: "{count} ready", failed: "{count} failed", left: "about {time} left",
  zip: "Download all as zip", cancel: "Cancel", retry: "Retry", deleteAll: "Delete all",
  open: "Compare {name}", download: "Download", downloadNamed: "Download {name}", deleteOne: "Delete",
  deleteNamed: "Delete {name}", cancelNamed: "Cancel {name}", retryNamed: "Retry {name}",
  older: "Show older photos", history: "Your photos", empty: "Nothing here yet.",
  waiting: "Waits to be sent", sending: "Is being sent", queued: "In the queue", position: "In the queue: {position} before it",
  decode: "Is being read", perturb: "Noise is computed", encode: "File is written and checked", processing: "Is being protected",
  succeeded: "Protected", canceled: "Canceled", expired: "Expired",
  keptUntil: "Kept until {date}", keptForever: "Kept until you delete it",
  deleteSure: "Delete {count} photos from the service? Their protected files cannot be got back.",
  deleteSureOne: "Delete this photo from the service? Its protected file cannot be got back.",
  yes: "Delete", no: "Keep",
  back: "Back to all photos",
  protectedTitle: "This photo is protected", littleTitle: "This photo is protected only a little",
  little: "Only {percent} % of the noise is in the file, because the photo is small, plain, or compressed strongly.",
  viewSlider: "Slider", viewSide: "Side by side", viewBefore: "Before", viewAfter: "After", viewDifference: "Difference ×10",
  zoom: "Zoom", zoomIn: "Enlarge", zoomOut: "Shrink", fit: "Fit", hundred: "100 %",
  zoomHint: "Wheel or pinch to zoom, double-click for 100 %, drag to move.",
  before: "The photo before protection", after: "The protected photo", split: "How much of the photo to show before protection, in percent",
  noOriginal: "The original is not in this browser, so only the protected photo is shown.",
  previewed: "This browser cannot show the original’s format: before protection a preview of {pixels} pixels is shown.",
  noPreview: "This browser cannot show the original’s format, so only the protected photo is shown.",
  scaled: "The difference is drawn at {percent} % of the photo’s size.",
  size: "Size", visible: "Visible beside the original", linf: "Largest change", survivalHosted: "Noise left after a site’s JPEG compression",
  survival: "Noise in the file", file: "File", labelGiven: "Label", labelPredicted: "Label (predicted)", notes: "Changed or left out",
  seen0: "no", seen1: "hardly, even if looked for", seen2: "just, if looked for", seen3: "at a glance",
  notPhoto: "It is not a photo.", isVideo: "Videos cannot be protected.", isEmpty: "The file is empty.",
  tooLarge: "It has {size}; the service takes {limit}.", twice: "It is in the list already.",
  lost: "This browser no longer has the file. Choose it again.",
  away: "The service does not respond", awayText: "It may be starting or stopped. Photos that were not sent wait in this browser and go on by themselves.",
  noScript: "This page needs JavaScript. The API at /docs can be used without it.",
  limitsTitle: "What this does not protect against",
  limitsIntro: "The noise makes photos a poor source for networks that are trained on them from scratch. It does not stop:",
  limit1: "Networks that already know the subject.", limit1Text: "Starting from a large pretrained network, a trainer needs little from your photo.",
  limit2: "Adversarial training,", limit2Text: "at several times the cost, learns past this noise. The method sem+cuda resists it better, and is visible.",
  limit3: "Heavy recompression,", limit3Text: "such as JPEG at quality 10, removes most of it, and much of the photo with it.",
  limit4: "Purification by diffusion models", limit4Text: "repaints the photo without the noise.",
  limit5: "Unprotected copies.", limit5Text: "If unprotected photos of the same subject exist, a trainer learns from those.",
  limitsEnd: "It does not hide who or what is in the picture, and it does not stop anybody from copying it.",
  footer: "Originals are deleted from the service as soon as they are protected. This browser keeps a copy for comparing until you delete the photo here. This page loads nothing from any other site.",
  verifyTitle: "Verify a photo", verifyTagline: "Whether it was protected here, and how much of that is left in it.",
  verifyDrop: "Drop a photo here", verifyChoose: "Choose a photo", verifyKept: "The service keeps nothing of it, and tells nobody but its owner whose it is.",
  verifyBack: "Protect photos", verifyRunning: "The photo is being verified …",
  verdict_exact: "Protected file", verdict_exact_text: "This is a protected file, byte for byte.",
  verdict_copy: "Copy of a protected file", verdict_copy_text: "It was saved again, resized or cropped, and its noise is still in it.",
  verdict_edited: "Edited copy of a protected file", verdict_edited_text: "Parts of the picture were changed; its noise is still in the rest.",
  verdict_noise_missing: "Not protected", verdict_noise_missing_text: "It shows the picture of a protected file without its noise: it is the original, or the noise was removed.",
  verdict_looks_alike: "Looks like a protected file", verdict_looks_alike_text: "Whether it has its noise cannot be told, because the protected file was deleted or too little of the picture is left.",
  verdict_picture_differs: "Id of another picture", verdict_picture_differs_text: "The id in this file is of a protected file with another picture: it was copied from there, or the picture was changed a lot.",
  verdict_unknown: "Unknown", verdict_unknown_text: "It was not protected here, was protected by an earlier version, or was changed a lot.",
  verifyNoise: "Noise left", verifyEdited: "Changed part of the picture", verifyCropped: "Cropped", verifyYes: "yes", verifyWhen: "Protected",
  verifySurrogates: "Surrogates", verifyVisibility: "Visibility (1: just seen)", verifySize: "Size of the protected file", verifyId: "Id", verifyOwn: "Your image", verifyDeleted: "deleted",
  reference: "API reference", operate: "For operators", language: "Language", version: "Version {version}",
};

const DE = {
  tagline: "Fügt Fotos Rauschen hinzu, damit ein neuronales Netz, das mit ihnen trainiert wird, weniger aus ihnen lernt.",
  drop: "Fotos oder einen Ordner hierher ziehen",
  dropMore: "einfügen oder",
  chooseFiles: "Fotos wählen",
  chooseFolder: "Ordner wählen",
  accepts: "{kinds}; je bis {size} und {megapixels} Megapixel",
  keptDays: "Der Dienst löscht Fotos und Ergebnisse nach {days} Tagen.",
  keptHours: "Der Dienst löscht Fotos und Ergebnisse nach {hours} Stunden.",
  levels: "Wie stark darf das Rauschen sein?",
  noLevel: "Keine Stufe hält einen Trainer auf, der gezielt gegen solches Rauschen trainiert (adversarial).",
  subtle: "Dezent", subtleText: "Die kleinste Änderung und der schwächste Schutz.",
  standard: "Normal", standardText: "Nicht sichtbar; schützt wenig.",
  strong: "Stark", strongText: "Als feines Korn sichtbar.",
  maximum: "Höchste", maximumText: "Deutlich sichtbar, als farbige Wolken in Himmel und Haut.",
  hosted: "Für Plattformen", hostedText: "Wie Stark, für Fotos, die eine Website erneut komprimiert. Dauert länger.",
  examples: "Drei Fotos auf dieser Stufe, Ausschnitte bei 100 %",
  exampleOf: "{photo}, geschützt auf der Stufe {level}",
  astronaut: "Ein Porträt", rocket: "Eine Rakete vor dem Himmel", coffee: "Eine Tasse Kaffee",
  label: "Was zeigen sie?", optional: "(freiwillig)",
  labelHint: "Fotos mit derselben Bezeichnung werden gemeinsam geschützt. Ohne Bezeichnung sagt der Dienst eine vorher.",
  labelExample: "zum Beispiel: meine Katze",
  more: "Weitere Einstellungen",
  format: "Dateiformat", sameFormat: "Wie das Original",
  sizes: "Längere Seiten in Pixeln", sizesHint: "Mit Kommas; jedes Foto wird verkleinert, dann geschützt. Leer: seine eigene Größe.",
  keep: "Von den Angaben der Kamera (EXIF) behalten", keepDate: "Datum", keepCamera: "Kamera",
  keepPosition: "Ort",
  method: "Verfahren", defaultMethod: "Voreinstellung",
  key: "API-Schlüssel", keyHint: "Dieser Dienst lässt ohne Schlüssel niemanden hinein. Er bleibt, bis dieser Tab geschlossen wird.",
  keyWrong: "Dieser Schlüssel gilt hier nicht.", keyUse: "Schlüssel verwenden",
  protectNone: "Schützen", protectOne: "Das Foto schützen", protectMany: "{count} Fotos schützen",
  chosen: "Ausgewählt", remove: "Entfernen", removeAll: "Alle entfernen", removeNamed: "{name} entfernen",
  labelOf: "Bezeichnung von {name}",
  groupOne: "1 Foto", groupMany: "{count} Fotos",
  ready: "{count} fertig", failed: "{count} gescheitert", left: "noch etwa {time}",
  zip: "Alle als Zip herunterladen", cancel: "Abbrechen", retry: "Noch einmal", deleteAll: "Alle löschen",
  open: "{name} vergleichen", download: "Herunterladen", downloadNamed: "{name} herunterladen", deleteOne: "Löschen",
  deleteNamed: "{name} löschen", cancelNamed: "{name} abbrechen", retryNamed: "{name} noch einmal versuchen",
  older: "Ältere Fotos zeigen", history: "Ihre Fotos", empty: "Hier ist noch nichts.",
  waiting: "Wartet auf das Senden", sending: "Wird gesendet", queued: "In der Warteschlange", position: "In der Warteschlange: {position} davor",
  decode: "Wird gelesen", perturb: "Rauschen wird berechnet", encode: "Datei wird geschrieben und geprüft", processing: "Wird geschützt",
  succeeded: "Geschützt", canceled: "Abgebrochen", expired: "Abgelaufen",
  keptUntil: "Aufbewahrt bis {date}", keptForever: "Aufbewahrt, bis Sie es löschen",
  deleteSure: "{count} Fotos aus dem Dienst löschen? Die geschützten Dateien sind dann nicht mehr zu bekommen.",
  deleteSureOne: "Dieses Foto aus dem Dienst löschen? Die geschützte Datei ist dann nicht mehr zu bekommen.",
  yes: "Löschen", no: "Behalten",
  back: "Zurück zu allen Fotos",
  protectedTitle: "Dieses Foto ist geschützt", littleTitle: "Dieses Foto ist nur wenig geschützt",
  little: "Nur {percent} % des Rauschens sind in der Datei, weil das Foto klein, einfarbig oder stark komprimiert ist.",
  viewSlider: "Schieber", viewSide: "Nebeneinander", viewBefore: "Vorher", viewAfter: "Nachher", viewDifference: "Differenz ×10",
  zoom: "Vergrößerung", zoomIn: "Vergrößern", zoomOut: "Verkleinern", fit: "Einpassen", hundred: "100 %",
  zoomHint: "Mausrad oder zwei Finger zum Vergrößern, Doppelklick für 100 %, Ziehen zum Verschieben.",
  before: "Das Foto vor dem Schutz", after: "Das geschützte Foto", split: "Wie viel vom Foto vor dem Schutz zu sehen ist, in Prozent",
  noOriginal: "Das Original ist nicht in diesem Browser; zu sehen ist nur das geschützte Foto.",
  previewed: "Dieser Browser kann das Format des Originals nicht zeigen: Vor dem Schutz ist eine Vorschau von {pixels} Pixeln zu sehen.",
  noPreview: "Dieser Browser kann das Format des Originals nicht zeigen; zu sehen ist nur das geschützte Foto.",
  scaled: "Die Differenz ist mit {percent} % der Größe des Fotos gezeichnet.",
  size: "Größe", visible: "Neben dem Original zu sehen", linf: "Größte Änderung", survivalHosted: "Rauschen nach der JPEG-Kompression einer Website",
  survival: "Rauschen in der Datei", file: "Datei", labelGiven: "Bezeichnung", labelPredicted: "Bezeichnung (vorhergesagt)", notes: "Geändert oder weggelassen",
  seen0: "nein", seen1: "kaum, selbst wenn man sucht", seen2: "gerade so, wenn man sucht", seen3: "auf den ersten Blick",
  notPhoto: "Das ist kein Foto.", isVideo: "Videos können nicht geschützt werden.", isEmpty: "Die Datei ist leer.",
  tooLarge: "Sie hat {size}; der Dienst nimmt {limit}.", twice: "Es ist schon in der Liste.",
  lost: "Dieser Browser hat die Datei nicht mehr. Wählen Sie sie noch einmal.",
  away: "Der Dienst antwortet nicht", awayText: "Vielleicht startet er gerade oder ist angehalten. Fotos, die noch nicht gesendet sind, warten in diesem Browser und gehen von selbst weiter.",
  noScript: "Diese Seite braucht JavaScript. Die API unter /docs geht auch ohne.",
  limitsTitle: "Wovor das nicht schützt",
  limitsIntro: "Das Rauschen macht Fotos zu einer schlechten Quelle für Netze, die mit ihnen von Grund auf trainiert werden. Es hält nicht auf:",
  limit1: "Netze, die das Motiv schon kennen.", limit1Text: "Wer mit einem großen vortrainierten Netz beginnt, braucht wenig aus Ihrem Foto.",
  limit2: "Adversariales Training", limit2Text: "lernt, mit mehrfachem Aufwand, an diesem Rauschen vorbei. Das Verfahren sem+cuda widersteht ihm besser und ist sichtbar.",
  limit3: "Starke Kompression,", limit3Text: "etwa JPEG mit Qualität 10, entfernt das meiste davon und viel vom Foto.",
  limit4: "Reinigung durch Diffusionsmodelle", limit4Text: "malt das Foto ohne Rauschen neu.",
  limit5: "Ungeschützte Kopien.", limit5Text: "Gibt es ungeschützte Fotos desselben Motivs, lernt ein Trainer aus ihnen.",
  limitsEnd: "Es verbirgt nicht, wer oder was auf dem Bild ist, und hindert niemanden daran, es zu kopieren.",
  footer: "Originale werden im Dienst gelöscht, sobald sie geschützt sind. Dieser Browser behält eine Kopie zum Vergleichen, bis Sie das Foto hier löschen. Diese Seite lädt nichts von anderen Websites.",
  verifyTitle: "Foto prüfen", verifyTagline: "Ob es hier geschützt wurde, und wie viel davon noch darin ist.",
  verifyDrop: "Ein Foto hierher ziehen", verifyChoose: "Foto wählen", verifyKept: "Der Dienst behält nichts davon und sagt niemandem außer dem Eigentümer, wem es gehört.",
  verifyBack: "Fotos schützen", verifyRunning: "Das Foto wird geprüft …",
  verdict_exact: "Geschützte Datei", verdict_exact_text: "Das ist Byte für Byte eine geschützte Datei.",
  verdict_copy: "Kopie einer geschützten Datei", verdict_copy_text: "Sie wurde neu gespeichert, verkleinert oder beschnitten; das Rauschen ist noch darin.",
  verdict_edited: "Bearbeitete Kopie einer geschützten Datei", verdict_edited_text: "Teile des Bildes wurden verändert; im Rest ist das Rauschen noch.",
  verdict_noise_missing: "Nicht geschützt", verdict_noise_missing_text: "Das Bild ist das einer geschützten Datei, aber ohne deren Rauschen: Es ist das Original, oder das Rauschen wurde entfernt.",
  verdict_looks_alike: "Sieht aus wie eine geschützte Datei", verdict_looks_alike_text: "Ob deren Rauschen darin ist, lässt sich nicht sagen, weil die geschützte Datei gelöscht wurde oder zu wenig vom Bild übrig ist.",
  verdict_picture_differs: "Kennung eines anderen Bildes", verdict_picture_differs_text: "Die Kennung in dieser Datei gehört zu einer geschützten Datei mit einem anderen Bild: Sie wurde von dort kopiert, oder das Bild wurde stark verändert.",
  verdict_unknown: "Unbekannt", verdict_unknown_text: "Es wurde nicht hier geschützt, von einer früheren Version geschützt oder stark verändert.",
  verifyNoise: "Rauschen in der Datei", verifyEdited: "Veränderter Teil des Bildes", verifyCropped: "Beschnitten", verifyYes: "ja", verifyWhen: "Geschützt",
  verifySurrogates: "Ersatznetze", verifyVisibility: "Sichtbarkeit (1: gerade zu sehen)", verifySize: "Größe der geschützten Datei", verifyId: "Kennung", verifyOwn: "Ihr Bild", verifyDeleted: "gelöscht",
  reference: "API-Referenz", operate: "Für Betreiber", language: "Sprache", version: "Version {version}",
};

const TEXTS = { en: EN, de: DE };
const wished = localStorage.getItem("language") ?? navigator.language.slice(0, 2);

export const language = wished in TEXTS ? wished : "en";

export function t(key, values = {}) {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// The texts of another page, in every language.
export function add(more) {
  for (const [code, texts] of Object.entries(more)) Object.assign(TEXTS[code], texts);
}

export function useLanguage(chosen) {
  localStorage.setItem("language", chosen);
  location.reload();
}

// Elements with data-t get their text, those with data-t-ATTRIBUTE that attribute.
export function translate(root) {
  document.documentElement.lang = language;
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const [name, attribute] of [["tLabel", "aria-label"], ["tPlaceholder", "placeholder"], ["tAlt", "alt"]]) {
    for (const node of root.querySelectorAll(`[data-t-${name.slice(1).toLowerCase()}]`)) node.setAttribute(attribute, t(node.dataset[name]));
  }
}

const units = { s: "second", min: "minute", h: "hour" };
const unit = (value, name) => new Intl.NumberFormat(language, { style: "unit", unit: units[name], unitDisplay: "short" }).format(value);

export function duration(seconds) {
  if (seconds < 90) return unit(Math.max(1, Math.round(seconds)), "s");
  return seconds < 5400 ? unit(Math.round(seconds / 60), "min") : unit(Math.round(seconds / 3600), "h");
}

export const bytes = (size) => (size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${number(size / 1e6, 1)} MB`);
export const number = (value, digits) => value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const moment = (text) => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
