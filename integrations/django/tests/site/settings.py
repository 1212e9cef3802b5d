"""A site with Wagtail and three makers of thumbnails; with SITE_PLAIN one before Photoward."""

import os
from pathlib import Path

SITE = Path(os.environ["SITE_FOLDER"])
PLAIN = "SITE_PLAIN" in os.environ
SECRET_KEY = "of-a-site-of-tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": SITE / "site.sqlite",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    *([] if PLAIN else ["photoward_django"]),
    "gallery",
    "easy_thumbnails",
    "sorl.thumbnail",
    "imagekit",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "taggit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {
                "easy": "easy_thumbnails.templatetags.thumbnail",
                "sorl": "sorl.thumbnail.templatetags.thumbnail",
            },
        },
    }
]
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = SITE / "public"
WAGTAIL_SITE_NAME = "Gallery"
WAGTAILADMIN_BASE_URL = "http://127.0.0.1"

FILES = "django.core.files.storage.FileSystemStorage"
STORAGES = {
    "default": {
        "BACKEND": FILES,
        "OPTIONS": {"location": str(SITE / os.environ.get("SITE_UPLOADS", "uploads"))},
    },
    "photoward": {
        "BACKEND": FILES if PLAIN else "photoward_django.storage.ProtectedFileSystemStorage"
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if "SITE_SECOND" in os.environ:
    STORAGES["second"] = STORAGES["photoward"]
WAGTAILIMAGES_RENDITION_STORAGE = os.environ.get("SITE_RENDITIONS", "photoward")
THUMBNAIL_DEFAULT_STORAGE_ALIAS = "photoward"
THUMBNAIL_STORAGE = "photoward"
IMAGEKIT_DEFAULT_FILE_STORAGE = "photoward"
originals = os.environ.get("SITE_ORIGINALS", "originals")
PHOTOWARD = {
    "URL": os.environ.get("PHOTOWARD_URL", ""),
    "ORIGINALS": originals and SITE / originals,
    "TIMEOUT": 60,
    "ON_FAILURE": os.environ.get("SITE_ON_FAILURE", "closed"),
}
SILENCED_SYSTEM_CHECKS = ["templates.W003"]  # two libraries of tags have one name
