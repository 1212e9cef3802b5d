"""Pages of the site, and its public folder."""

from django.conf import settings
from django.urls import include, path, re_path
from django.views.static import serve
from gallery import views
from wagtail.admin import urls as admin_urls

urlpatterns = [
    path("admin/", include(admin_urls)),
    path("wagtail/<int:key>/", views.wagtail_page),
    path("thumbnails/<int:key>/", views.thumbnails_page),
    path("photos/", views.upload),
    path("photos/<int:key>/delete/", views.delete),
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}),
]
