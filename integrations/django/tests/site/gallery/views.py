"""Pages with pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from easy_thumbnails.files import get_thumbnailer
from sorl.thumbnail import delete as delete_sorl
from wagtail.images import get_image_model

from gallery.models import Photo

if TYPE_CHECKING:
    from django.http import HttpRequest


def wagtail_page(request: HttpRequest, key: int) -> HttpResponse:
    image = get_object_or_404(get_image_model(), pk=key)
    return render(request, "gallery/wagtail.html", {"image": image})


def thumbnails_page(request: HttpRequest, key: int) -> HttpResponse:
    return render(request, "gallery/thumbnails.html", {"photo": get_object_or_404(Photo, pk=key)})


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    photo = Photo(image=request.FILES["file"])
    if "shown" in request.FILES:
        photo.shown = request.FILES["shown"]
    try:
        photo.save()
    except OSError as error:
        return HttpResponse(str(error), status=503)
    return JsonResponse({"id": photo.pk, "shown": photo.shown.name})


@csrf_exempt
def delete(_: HttpRequest, key: int) -> HttpResponse:
    photo = get_object_or_404(Photo, pk=key)
    get_thumbnailer(photo.image).delete_thumbnails()
    delete_sorl(photo.image, delete_file=False)
    photo.small.storage.delete(photo.small.name)
    if photo.shown:
        photo.shown.delete(save=False)
    photo.image.delete(save=False)
    photo.delete()
    return HttpResponse(status=204)
